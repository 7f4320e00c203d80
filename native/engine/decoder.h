// The forward pass of a decoder-only transformer over a segment being built, chunk by chunk.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/attention_evidence.h"
#include "engine/backend.h"
#include "engine/kv_state.h"
#include "engine/model.h"
#include "engine/sampler.h"
#include "engine/workspace.h"

namespace longsight {

// Tokens done so far: whole chunks, and within a chunk its share of the layers.
using ForwardProgress = std::function<void(int64_t processed_tokens)>;

// Sees a chunk's attention in a layer that sees all keys: what the sparse kernels would be asked,
// with `out` and `lse` as dense attention left them.
using AttentionObserver = std::function<void(int64_t layer, const SparseCall& dense)>;

// What is wanted of the position after the last token, where anything is.
struct NextToken {
  float* logits = nullptr;    // [vocabulary]
  uint32_t* token = nullptr;  // what `draw` draws from them
  Draw draw = {};

  bool wanted() const { return logits != nullptr || token != nullptr; }
};

class Decoder {
 public:
  Decoder(const Model& model, Backend& backend) : model_(model), backend_(backend) {}

  // Runs `tokens` behind `base` and `tail`'s own tokens, and commits them to `tail`, whose capacity
  // must suffice. Throws Error(kCancelled) soon after `cancel` turns true; chunks committed until
  // then stay valid.
  void Forward(const KvState& base, KvSegment& tail, std::span<const uint32_t> tokens,
               Workspace& workspace, const std::atomic<bool>& cancel,
               const ForwardProgress& progress, const NextToken& next);

  // The same for one token of a generation.
  void Step(const KvState& base, KvSegment& tail, uint32_t token, Workspace& workspace,
            const std::atomic<bool>& cancel, const NextToken& next);

  // The following chunks' full attention is what `settings` say, and `report` gets what it was;
  // both must outlive them.
  void SetPrefill(const PrefillSettings& settings, PrefillReport& report);
  // Called for every chunk that attends densely.
  void SetObserver(AttentionObserver observer) { observer_ = std::move(observer); }

  // The rows that logits come from add their attention to `evidence`, which must outlive them.
  void SetEvidence(AttentionEvidence& evidence) { evidence_ = &evidence; }

 private:
  struct Chunk;
  void ForwardChunks(const KvState& base, KvSegment& tail, std::span<const uint32_t> tokens,
                     Workspace& workspace, const std::atomic<bool>& cancel,
                     const ForwardProgress& progress, const NextToken& next);
  void ForwardChunk(const Chunk& chunk);
  void RunLayers(const Chunk& chunk);
  void Embed(const Chunk& chunk);
  void Project(const Chunk& chunk, int64_t layer, int64_t first_query);
  void Attend(const Chunk& chunk, int64_t layer, int64_t first_query);
  void FinishLayer(const Chunk& chunk, int64_t layer, int64_t first_row);
  // The first row whose output of the last layer somebody reads.
  int64_t FirstOutput(const Chunk& chunk) const;
  void ComputeLogits(const Chunk& chunk, int64_t first_row, int64_t rows, float* logits);
  void ComputeNext(const Chunk& chunk);
  void Score(const Chunk& chunk);

  std::vector<KvRun> Runs(const Chunk& chunk, int64_t layer, int64_t oldest) const;
  void AddEvidence(const Chunk& chunk, int64_t layer);
  bool IsSparse(const Chunk& chunk, int64_t layer) const;
  void AttendSparse(const Chunk& chunk, int64_t layer, int64_t first_query);
  // The rows from `first_query` on, without patterns; `runs` becomes its K and V.
  SparseCall MakeSparseCall(const Chunk& chunk, int64_t layer, int64_t first_query,
                            std::vector<KvRun>& runs) const;

  const Model& model_;
  Backend& backend_;
  // Null: dense, and nobody asks.
  const PrefillSettings* settings_ = nullptr;
  PrefillReport* report_ = nullptr;
  // Null: nobody asks, or the backend cannot tell.
  AttentionEvidence* evidence_ = nullptr;
  // Default patterns, when the settings bring none.
  std::unique_ptr<const HeadPatterns> default_patterns_;
  AttentionObserver observer_;
};

}  // namespace longsight

// The engine as the addon sees it: a loaded model that prefills, generates and plans.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/decoder.h"
#include "engine/error.h"
#include "engine/kv_state.h"
#include "engine/kv_stow.h"
#include "engine/memory_plan.h"
#include "engine/model.h"
#include "engine/pattern_search.h"
#include "engine/sampler.h"

namespace longsight {

enum class Precision {
  kBf16,  // KV in bf16; activations may be rounded for bf16 dot products
  kF32,   // everything fp32: for tests
};

// What keys and values may be kept in, where activations are bf16.
enum class KvType {
  kAuto,  // bf16; a caller may ask for fp8 on a GPU (PrefillSettings::kv_type)
  kBf16,
  kFp8,  // half the memory; on a GPU
};

struct EngineOptions {
  std::string device = "auto";  // "auto", "cpu", "cuda" or "cuda:N"
  int threads = 0;              // 0: all processors
  Precision precision = Precision::kBf16;
  KvType kv = KvType::kAuto;
  WeightType weights = WeightType::kBf16;
};

// A device that is named is that one or an error; `auto` is the first GPU, or else the CPU. Throws
// Error: kDeviceUnavailable; kInvalidArgument when it has no such weights.
std::unique_ptr<Backend> MakeBackend(const EngineOptions& options);

struct PrefillResult {
  KvState kv;
  PrefillReport report;
};

enum class StopReason { kEndToken, kMaxTokens, kCancelled };

struct GenerateOptions {
  int64_t max_tokens = 0;
  int64_t chunk_tokens = 0;
  SamplingOptions sampling;
  std::vector<uint32_t> end_tokens;
  // Where the spans end whose share of the answer's attention is wanted (attention_evidence.h);
  // empty: nobody asks.
  std::vector<int64_t> evidence_ends;
};

struct GenerateResult {
  // Every sampled token, an end token included.
  std::vector<uint32_t> tokens;
  StopReason stop_reason = StopReason::kMaxTokens;
  double first_token_ms = 0;
  double decode_ms = 0;
  // No shares when none were asked for, or the device cannot tell.
  EvidenceShares evidence;
  // base + appended + sampled tokens, less the last one, which was not fed. When cancelled: what
  // was complete by then.
  KvState kv;
};

// One operation at a time: the caller serialises Prefill, Generate and Logits. Everything else may
// run beside them.
class Engine {
 public:
  // Throws Error: see LoadModel; kDeviceUnavailable for a device that is not there.
  static std::unique_ptr<Engine> Load(const std::string& model_dir, const EngineOptions& options);
  // Throws Error(kInvalidArgument) when the backend has no such KV.
  Engine(Model model, std::unique_ptr<Backend> backend, Precision precision,
         KvType kv = KvType::kAuto);

  const Model& model() const { return model_; }
  const Backend& backend() const { return *backend_; }
  // Of a new prefix when nobody asks for another.
  const KvLayout& kv_layout() const { return kv_layouts_.front(); }
  int64_t kv_bytes() const { return kv_account_->load(); }
  // What is not on the device; and back. May run beside everything else.
  KvStore& kv_store() { return kv_store_; }
  KvState Restore(const StowedKv& stowed) { return kv_store_.Restore(stowed, kv_account_); }

  // Ways to have a context of `context_tokens` (PlanChoices), of which the first `held_tokens` are
  // held already, in KV of `kv_type`; without one: in any that a new prefix may have. The caller
  // chooses, and asks for it. Throws Error(kInvalidArgument).
  std::vector<MemoryPlan> Plan(int64_t context_tokens, int64_t chunk_tokens,
                               int64_t held_tokens = 0,
                               std::optional<DType> kv_type = std::nullopt) const;

  // `base` followed by `tokens` as one new segment. Throws Error: kInvalidArgument, kOverBudget
  // (beyond the model's context), kNotEnoughMemory, kCancelled.
  KvState Prefill(const KvState& base, std::span<const uint32_t> tokens, int64_t chunk_tokens,
                  const std::atomic<bool>& cancel, const ForwardProgress& progress);
  // The same as `settings` say. Sparse results depend on `chunk_tokens`.
  PrefillResult Prefill(const KvState& base, std::span<const uint32_t> tokens, int64_t chunk_tokens,
                        const PrefillSettings& settings, const std::atomic<bool>& cancel,
                        const ForwardProgress& progress);

  // `tokens` prefilled densely and dropped again; on the way, what `trial` makes of their
  // attention. Errors as Prefill's.
  PatternScores TryPatterns(std::span<const uint32_t> tokens, int64_t chunk_tokens,
                            const PatternTrial& trial, const std::atomic<bool>& cancel,
                            const ForwardProgress& progress);

  // Errors as Prefill's, with kQuestionTooLong for kOverBudget; cancellation is a result.
  GenerateResult Generate(const KvState& base, std::span<const uint32_t> tokens,
                          const GenerateOptions& options, const std::atomic<bool>& cancel,
                          const std::function<void(uint32_t token)>& on_token);

  // fp32 logits [vocabulary] of the position after base + tokens. Errors as Prefill's.
  std::vector<float> Logits(const KvState& base, std::span<const uint32_t> tokens,
                            int64_t chunk_tokens, const std::atomic<bool>& cancel);

 private:
  void CheckTokens(const KvState& base, std::span<const uint32_t> tokens, int64_t new_tokens,
                   int64_t chunk_tokens, ErrorCode too_long) const;
  // Throws Error(kInvalidArgument) when new prefixes have no such KV.
  const KvLayout& LayoutOf(DType kv_type) const;
  // Of the type of `base`, or else `kv_type`. Checks that it fits, with `more_bytes` beside it.
  std::shared_ptr<KvSegment> NewSegment(const KvState& base, std::optional<DType> kv_type,
                                        int64_t capacity, int64_t chunk_tokens,
                                        int64_t more_bytes = 0);

  Model model_;
  std::unique_ptr<Backend> backend_;
  std::vector<KvLayout> kv_layouts_;  // the best first
  KvAccount kv_account_;
  KvStore kv_store_;
};

}  // namespace longsight

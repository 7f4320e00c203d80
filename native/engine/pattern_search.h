// Head patterns tried on one text: what each keeps of the dense output, in the real kernel, and
// what it costs there (the kernel-aware search of MInference, arXiv 2407.02490, section 3.2).
#pragma once

#include <cstdint>
#include <vector>

#include "engine/backend.h"
#include "engine/head_patterns.h"

namespace longsight {

struct PatternTrial {
  // One pattern for every head of the model each.
  std::vector<HeadPatterns> candidates;
  // What vertical-slash heads cover at a chunk's end, filled up to it.
  int64_t budget_keys = 0;
  // Chunks that are looked at, evenly spread over the text, the last one among them.
  int64_t sampled_chunks = 1;
  // Runs of each, of which the fastest is told.
  int64_t repeats = 1;
};

// Means over the chunks that were looked at.
struct HeadScore {
  // |sparse output - dense output| / |dense output|, over all rows of a chunk.
  double error = 0;
  double recall = 0;
  // Computed per row.
  double keys = 0;
};

struct CandidateScore {
  // Summed over layers and chunks.
  double attention_ms = 0;
  double index_ms = 0;
  // Query-key pairs computed for that.
  double pairs = 0;
  std::vector<HeadScore> heads;  // [PatternScores::layers, heads]
};

struct PatternScores {
  // Those with full attention, less the last one: of its output a prefill keeps nothing.
  std::vector<int64_t> layers;
  int64_t chunks = 0;
  // Of those chunks together.
  int64_t rows = 0;
  std::vector<CandidateScore> candidates;  // as in the trial
};

// Looks on while a text is prefilled densely (Decoder::SetObserver).
class PatternSearch {
 public:
  // Of a text of `tokens` in chunks of `chunk_tokens`. All three must outlive this object. Throws
  // Error: kInvalidArgument, kNotEnoughMemory.
  PatternSearch(const DecoderSpec& spec, Backend& backend, const PatternTrial& trial,
                int64_t tokens, int64_t chunk_tokens);

  // What this keeps beside a prefill's own memory.
  static int64_t Bytes(const DecoderSpec& spec, const Backend& backend, int64_t rows);

  void Observe(int64_t layer, const SparseCall& dense);
  // The means, when the text is through.
  PatternScores Finish();

 private:
  bool IsSampled(int64_t first_position) const;
  PrefillReport Attend(SparseCall call, const HeadPatterns& candidate, int64_t layer);
  // What Attend left behind, with the dense output.
  void Compare(CandidateScore* score, size_t first_head, const SparseCall& dense);

  const DecoderSpec& spec_;
  Backend& backend_;
  const PatternTrial& trial_;
  int64_t chunk_tokens_;
  int64_t chunks_;
  PatternScores scores_;
  BackendMemory memory_;
  Rows out_;    // [rows, heads, head_size]
  float* lse_;  // [rows, heads]
  std::vector<HeadOutcome> outcomes_;
  std::vector<double> squares_;  // of Backend::CompareHeads
};

}  // namespace longsight

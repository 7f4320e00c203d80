// What a prefill is asked to be, and what it tells.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/dtype.h"
#include "engine/head_patterns.h"

namespace longsight {

enum class PrefillMode {
  kAuto,  // sparse where that was measured to be faster
  kDense,
  kSparse,
};

struct PrefillSettings {
  PrefillMode mode = PrefillMode::kDense;
  // Null: index::kDefaultPattern for every head.
  std::shared_ptr<const HeadPatterns> patterns;
  // From 0 to 1: for every head, in place of its pattern's own (index::HeadPattern). Below 0: none.
  double recall_floor = -1;
  // Of the KV of a new prefix; by default the engine's first choice. What has a base is of the
  // base's type.
  std::optional<DType> kv_type;
  // How likely the model holds each token from number `score_from` on, given those before it, goes
  // into the report. 0: nobody asks.
  int64_t score_from = 0;
};

// Query-key pairs and recall are those of layers with full attention. A pair counts once per query
// head.
struct PrefillReport {
  bool sparse = false;     // any head of any chunk
  double dense_pairs = 0;  // that the causal mask lets through
  double kept_pairs = 0;   // that were computed, masked ones included
  double guard_pairs = 0;  // of those, what the guard added
  double recall_sum = 0;   // over sparse heads and chunks
  int64_t recall_count = 0;
  double recall_least = 1;
  double attention_ms = 0;  // without probe, choice of lines and guard:
  double index_ms = 0;
  double log_likelihood = 0;  // natural, summed over
  int64_t scored_tokens = 0;

  void Add(const PrefillReport& other) {
    sparse = sparse || other.sparse;
    dense_pairs += other.dense_pairs;
    kept_pairs += other.kept_pairs;
    guard_pairs += other.guard_pairs;
    recall_sum += other.recall_sum;
    recall_count += other.recall_count;
    recall_least = std::min(recall_least, other.recall_least);
    attention_ms += other.attention_ms;
    index_ms += other.index_ms;
    log_likelihood += other.log_likelihood;
    scored_tokens += other.scored_tokens;
  }

  // One head of one chunk; a recall of 1 over every pair is a dense one's, and no recall to count.
  void AddHead(double dense, double kept, double guard, double recall) {
    dense_pairs += dense;
    kept_pairs += kept;
    guard_pairs += guard;
    if (recall >= 1 && kept >= dense) return;
    sparse = true;
    recall_sum += recall;
    recall_count += 1;
    recall_least = std::min(recall_least, recall);
  }
};

}  // namespace longsight

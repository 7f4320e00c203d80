// Where the attention of the answer's tokens lay, in the layers that see the whole context: filled
// by the decoder row by row, read when the answer is complete.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/decoder_spec.h"

namespace longsight {

// Per span, what share of the evidence it is; they add up to 1, or are all 0.
struct EvidenceShares {
  std::vector<double> shares;
  // Of all attention of those rows, what went to these spans: the mean over rows, layers and heads.
  double mass = 0;
};

// Heads differ: some look at one place, which is what people ask for, some at everything alike, and
// some rest on the first tokens. So the first span does not count (its share is 0), and each head
// of each row weighs as it is concentrated: by the inverse of the number of spans that it looks at,
// which is (sum m)^2 / sum m^2 of its masses m (the participation ratio).
class AttentionEvidence {
 public:
  // Span i holds the tokens [ends[i - 1], ends[i]), the first one those from 0 on. Throws
  // Error(kInvalidArgument) unless `ends` ascend and the last is at most `context_tokens`.
  AttentionEvidence(const DecoderSpec& spec, std::vector<int64_t> ends, int64_t context_tokens);

  std::span<const int64_t> ends() const { return ends_; }
  // [heads, spans] of one row in one layer, all zero; Add takes what is in it then.
  std::span<float> row();
  void Add();

  // Nothing before the first row.
  EvidenceShares Result() const;

 private:
  int64_t heads_;
  std::vector<int64_t> ends_;
  std::vector<float> row_;
  std::vector<double> sums_;  // [spans]
  double mass_ = 0;
  int64_t count_ = 0;  // heads of rows
};

}  // namespace longsight

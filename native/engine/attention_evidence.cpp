#include "engine/attention_evidence.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/error.h"

namespace longsight {

AttentionEvidence::AttentionEvidence(const DecoderSpec& spec, std::vector<int64_t> ends,
                                     int64_t context_tokens)
    : heads_(spec.heads), ends_(std::move(ends)), sums_(ends_.size()) {
  if (!std::ranges::is_sorted(ends_) ||
      (!ends_.empty() && (ends_.front() < 0 || ends_.back() > context_tokens))) {
    throw Error(ErrorCode::kInvalidArgument,
                "the ends of the evidence's spans must ascend from 0 to the context's length");
  }
}

std::span<float> AttentionEvidence::row() {
  row_.assign(static_cast<size_t>(heads_) * ends_.size(), 0.0f);
  return row_;
}

void AttentionEvidence::Add() {
  const size_t spans = ends_.size();
  for (size_t head = 0; head < static_cast<size_t>(heads_); ++head) {
    const float* masses = row_.data() + head * spans;
    double total = 0, squares = 0;
    for (size_t i = 1; i < spans; ++i) {
      total += masses[i];
      squares += static_cast<double>(masses[i]) * masses[i];
    }
    mass_ += total;
    ++count_;
    if (total <= 0) continue;
    const double weight = squares / (total * total);
    for (size_t i = 1; i < spans; ++i) sums_[i] += weight * masses[i];
  }
}

EvidenceShares AttentionEvidence::Result() const {
  if (count_ == 0) return {};
  EvidenceShares result{sums_, mass_ / static_cast<double>(count_)};
  const double total = std::accumulate(sums_.begin(), sums_.end(), 0.0);
  if (total > 0) {
    for (double& share : result.shares) share /= total;
  }
  return result;
}

}  // namespace longsight

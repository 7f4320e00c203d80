// What a conversation has in its cache: a short list of shared segments, each used up to its first
// n tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/kv_segment.h"

namespace longsight {

// A value: copying it shares the segments. Immutable, so several threads may read one.
class KvState {
 public:
  struct Part {
    std::shared_ptr<const KvSegment> segment;
    int64_t tokens;  // the first n of the segment; above zero
  };

  int64_t token_count() const { return token_count_; }
  const std::vector<Part>& parts() const { return parts_; }
  // Of every part; none when there are no tokens.
  std::optional<DType> type() const {
    if (parts_.empty()) return std::nullopt;
    return parts_.front().segment->layout().type;
  }
  // That the tokens take, though a segment may be longer than what this state sees of it.
  int64_t bytes() const {
    return parts_.empty() ? 0 : token_count_ * parts_.front().segment->layout().bytes_per_token();
  }

  // The first `tokens` tokens; throws Error(kInvalidArgument) when there are fewer.
  KvState View(int64_t tokens) const;
  // This state followed by all of `segment`, which must begin at position token_count().
  KvState Append(std::shared_ptr<const KvSegment> segment) const;

 private:
  std::vector<Part> parts_;
  int64_t token_count_ = 0;
};

}  // namespace longsight

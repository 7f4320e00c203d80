#include "engine/kv_state.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/error.h"

namespace longsight {

KvState KvState::View(int64_t tokens) const {
  if (tokens < 0 || tokens > token_count_) {
    throw Error(ErrorCode::kInvalidArgument, "a view of " + std::to_string(tokens) +
                                                 " tokens of a KV state that holds " +
                                                 std::to_string(token_count_));
  }
  KvState view;
  for (const Part& part : parts_) {
    const int64_t taken = std::min(part.tokens, tokens - view.token_count_);
    if (taken == 0) break;
    view.parts_.push_back({part.segment, taken});
    view.token_count_ += taken;
  }
  return view;
}

KvState KvState::Append(std::shared_ptr<const KvSegment> segment) const {
  if (segment->first_position() != token_count_) {
    throw Error(ErrorCode::kInternal,
                "a KV segment was appended at a position it was not built for");
  }
  KvState result = *this;
  const int64_t tokens = segment->tokens();
  if (tokens > 0) result.parts_.push_back({std::move(segment), tokens});
  result.token_count_ += tokens;
  return result;
}

}  // namespace longsight

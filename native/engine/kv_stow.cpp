#include "engine/kv_stow.h"

#include <string>

#include "engine/error.h"
#include "engine/system_memory.h"

namespace longsight {
namespace {

// The first `tokens` tokens of a segment, at the beginning of a segment that is no longer than
// them, in `storage`.
void PackInto(const KvSegment& segment, int64_t tokens, std::byte* storage,
              std::vector<Backend::Copy>& copies) {
  const KvLayout& layout = segment.layout();
  for (int64_t plane = 0; plane < layout.layers * 2; ++plane) {
    const int64_t layer = plane / 2;
    const bool keys = plane % 2 == 0;
    std::byte* const to = storage + plane * layout.plane_bytes(tokens);
    const int64_t row_bytes = tokens * layout.row_bytes();
    copies.push_back(
        {keys ? segment.key_row(layer, 0) : segment.value_row(layer, 0), to, row_bytes});
    if (layout.scale_row_bytes() == 0) continue;
    copies.push_back({keys ? segment.key_scales(layer, 0) : segment.value_scales(layer, 0),
                      to + row_bytes, tokens * layout.scale_row_bytes()});
  }
}

}  // namespace

StowedKv KvStore::Stow(const KvState& state, int64_t most_bytes) {
  if (state.token_count() == 0) {
    throw Error(ErrorCode::kInvalidArgument, "an empty KV state has nothing to stow");
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  StowedKv stowed;
  for (const KvState::Part& part : state.parts()) {
    stowed.bytes_ += part.segment->layout().bytes(part.tokens);
  }
  const int64_t before = stowed_bytes();
  const int64_t available = AvailableMemoryBytes();
  if (before + stowed.bytes_ > most_bytes || stowed.bytes_ > available) {
    throw Error(ErrorCode::kNotEnoughMemory,
                "a KV state of " + std::to_string(stowed.bytes_) +
                    " bytes has no room in the machine's memory: " + std::to_string(before) +
                    " of " + std::to_string(most_bytes) + " allowed bytes are taken, and " +
                    std::to_string(available) + " are free");
  }
  std::vector<Backend::Copy> copies;
  for (const KvState::Part& part : state.parts()) {
    const KvLayout& layout = part.segment->layout();
    const int64_t bytes = layout.bytes(part.tokens);
    auto memory = std::make_shared<AnonymousMemory>(bytes, "a KV state");
    std::byte* const data = memory->data();
    stowed_bytes_->fetch_add(bytes);
    const auto free = [memory = std::move(memory), total = stowed_bytes_, bytes](std::byte*) {
      total->fetch_sub(bytes);
    };
    stowed.parts_.push_back({layout, part.tokens, {data, free}});
    stowed.token_count_ += part.tokens;
    PackInto(*part.segment, part.tokens, data, copies);
  }
  backend_.CopyToHost(copies);
  return stowed;
}

KvState KvStore::Restore(const StowedKv& stowed, const KvAccount& account) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Backend::Copy> copies;
  std::vector<std::shared_ptr<KvSegment>> segments;
  int64_t position = 0;
  for (const StowedKv::Part& part : stowed.parts_) {
    const int64_t bytes = part.layout.bytes(part.tokens);
    const BackendMemory memory = backend_.Allocate(bytes, "the KV cache");
    copies.push_back({part.memory.get(), memory.get(), bytes});
    segments.push_back(
        std::make_shared<KvSegment>(part.layout, position, part.tokens, memory, account));
    position += part.tokens;
  }
  backend_.CopyToDevice(copies);
  KvState state;
  for (std::shared_ptr<KvSegment>& segment : segments) {
    segment->Commit(segment->capacity());
    state = state.Append(std::move(segment));
  }
  return state;
}

}  // namespace longsight

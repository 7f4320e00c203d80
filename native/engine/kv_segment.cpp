#include "engine/kv_segment.h"

#include <utility>

#include "engine/error.h"

namespace longsight {

KvSegment::KvSegment(const KvLayout& layout, int64_t first_position, int64_t capacity,
                     std::shared_ptr<std::byte> storage, KvAccount account)
    : layout_(layout),
      first_position_(first_position),
      capacity_(capacity),
      storage_(std::move(storage)),
      account_(std::move(account)) {}

KvSegment::~KvSegment() { account_->fetch_sub(tokens_ * layout_.bytes_per_token()); }

void KvSegment::Commit(int64_t count) {
  if (count < 0 || count > capacity_ - tokens_) {
    throw Error(ErrorCode::kInternal, "a KV segment was filled beyond its capacity");
  }
  tokens_ += count;
  account_->fetch_add(count * layout_.bytes_per_token());
}

}  // namespace longsight

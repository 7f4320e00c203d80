// A KV state in the machine's own memory while the device's is needed for another: packed, and as
// good as new when it is brought back.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/anonymous_memory.h"
#include "engine/backend.h"
#include "engine/kv_segment.h"
#include "engine/kv_state.h"

namespace longsight {

// A value: copying it shares the memory. Immutable.
class StowedKv {
 public:
  int64_t token_count() const { return token_count_; }
  // Of memory.
  int64_t bytes() const { return bytes_; }
  DType type() const { return parts_.front().layout.type; }

 private:
  friend class KvStore;
  // A segment as long as what the state saw of it.
  struct Part {
    KvLayout layout;
    int64_t tokens;
    std::shared_ptr<std::byte> memory;
  };
  std::vector<Part> parts_;
  int64_t token_count_ = 0;
  int64_t bytes_ = 0;
};

// Any thread; one copy after the other.
class KvStore {
 public:
  explicit KvStore(Backend& backend) : backend_(backend) {}

  // A copy of `state`, which must have tokens; its own memory goes with its last user. Throws
  // Error(kNotEnoughMemory) with the figures when all that is stowed would be more than
  // `most_bytes`, or more than the machine has.
  StowedKv Stow(const KvState& state, int64_t most_bytes);
  // Its tokens on the device again, in segments of their own. Throws Error(kNotEnoughMemory).
  KvState Restore(const StowedKv& stowed, const KvAccount& account);

  // Of everything that is stowed.
  int64_t stowed_bytes() const { return stowed_bytes_->load(); }

 private:
  Backend& backend_;
  std::mutex mutex_;
  // Shared, since what is stowed may outlive the store.
  std::shared_ptr<std::atomic<int64_t>> stowed_bytes_ = std::make_shared<std::atomic<int64_t>>(0);
};

}  // namespace longsight

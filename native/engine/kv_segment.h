// Keys and values of a run of tokens, for all layers: allocated once at its planned size, filled
// front to back, then immutable.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/checked_math.h"
#include "engine/dtype.h"

namespace longsight {

// Bytes of KV that live segments of one model hold; shared, since a segment may outlive its model.
using KvAccount = std::shared_ptr<std::atomic<int64_t>>;

struct KvLayout {
  int64_t layers, kv_heads, head_size;
  DType type;  // kBF16; kF32 for exactness; kE4M3 for half the memory

  int64_t row_elements() const { return kv_heads * head_size; }
  int64_t row_bytes() const { return row_elements() * DTypeBytes(type); }
  // Of a row of kE4M3: a bf16 scale for each KV head.
  int64_t scale_row_bytes() const {
    return type == DType::kE4M3 ? kv_heads * DTypeBytes(DType::kBF16) : 0;
  }
  // K and V of all layers.
  int64_t bytes_per_token() const { return layers * 2 * (row_bytes() + scale_row_bytes()); }
  // Of K or V of one layer; the next one begins where a GPU's widest loads may.
  int64_t plane_bytes(int64_t capacity) const {
    constexpr int64_t kAlignment = 256;
    return RoundUp(capacity * (row_bytes() + scale_row_bytes()), kAlignment);
  }
  // Of a segment.
  int64_t bytes(int64_t capacity) const { return layers * 2 * plane_bytes(capacity); }
};

// Storage: [layer][K, V] of [capacity][kv_heads][head_size] and the scales of [capacity][kv_heads].
class KvSegment {
 public:
  // For tokens at absolute positions [first_position, first_position + capacity), in `storage` of
  // layout.bytes(capacity), wherever that lies.
  KvSegment(const KvLayout& layout, int64_t first_position, int64_t capacity,
            std::shared_ptr<std::byte> storage, KvAccount account);
  ~KvSegment();
  KvSegment(const KvSegment&) = delete;
  KvSegment& operator=(const KvSegment&) = delete;

  const KvLayout& layout() const { return layout_; }
  int64_t first_position() const { return first_position_; }
  int64_t capacity() const { return capacity_; }
  // Tokens whose K and V are complete in every layer.
  int64_t tokens() const { return tokens_; }

  // Row `token` of a layer; rows up to the capacity follow each other.
  const std::byte* key_row(int64_t layer, int64_t token) const { return Row(2 * layer, token); }
  const std::byte* value_row(int64_t layer, int64_t token) const {
    return Row(2 * layer + 1, token);
  }
  std::byte* mutable_key_row(int64_t layer, int64_t token) { return Row(2 * layer, token); }
  std::byte* mutable_value_row(int64_t layer, int64_t token) { return Row(2 * layer + 1, token); }
  // The scales of those rows, where the type has any.
  std::byte* key_scales(int64_t layer, int64_t token) const { return Scales(2 * layer, token); }
  std::byte* value_scales(int64_t layer, int64_t token) const {
    return Scales(2 * layer + 1, token);
  }

  // Declares the next `count` tokens complete. Only who builds the segment holds it as non-const.
  void Commit(int64_t count);

 private:
  std::byte* Row(int64_t plane, int64_t token) const {
    return storage_.get() + plane * layout_.plane_bytes(capacity_) + token * layout_.row_bytes();
  }
  std::byte* Scales(int64_t plane, int64_t token) const {
    return Row(plane, capacity_) + token * layout_.scale_row_bytes();
  }

  KvLayout layout_;
  int64_t first_position_;
  int64_t capacity_;
  int64_t tokens_ = 0;
  std::shared_ptr<std::byte> storage_;
  KvAccount account_;
};

}  // namespace longsight

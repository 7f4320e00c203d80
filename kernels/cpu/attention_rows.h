// Query rows of grouped-query attention, and which keys they see.
//
// The query heads that share a KV head are stacked: stacked row i of a KV head is query row i /
// group of query head kv_head * group + i % group. So neighbouring stacked rows use the same K and
// V, and one tile of those serves them all.
#pragma once

#include "kernels.h"
#include "tiling.h"

namespace longsight::cpu {

static inline int64_t GroupSize(const AttentionParams& p) { return p.heads / p.kv_heads; }
static inline int64_t StackedRows(const AttentionParams& p) { return p.rows * GroupSize(p); }

struct KeyRange {
  int64_t begin, end;
};

// The keys of the view that query row `row` sees; both ends grow with the row.
static inline KeyRange VisibleKeys(const AttentionParams& p, int64_t row) {
  const int64_t own = p.first_position + row - p.kv.first_position;
  const int64_t end = Clamp(own + 1, 0, p.kv.tokens);
  const int64_t begin = p.window > 0 ? Clamp(own - p.window + 1, 0, end) : 0;
  return {begin, end};
}

// The keys that any of the stacked rows [begin, end) sees.
static inline KeyRange VisibleKeysOfBlock(const AttentionParams& p, int64_t begin, int64_t end) {
  const int64_t group = GroupSize(p);
  return {VisibleKeys(p, begin / group).begin, VisibleKeys(p, (end - 1) / group).end};
}

// Strides for one query row and head: offset of stacked row i in q, out or lse.
static inline int64_t StackedOffset(const AttentionParams& p, int64_t kv_head, int64_t i,
                                    int64_t row_stride, int64_t head_stride) {
  const int64_t group = GroupSize(p);
  return i / group * row_stride + (kv_head * group + i % group) * head_stride;
}

static inline bool Cancelled(const AttentionParams& p) {
  return p.cancel != nullptr && p.cancel->load(std::memory_order_relaxed);
}

}  // namespace longsight::cpu

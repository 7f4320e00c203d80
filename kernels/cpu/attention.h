// Attention of kernels.h: blocks of stacked rows over the threads, and over parts of the keys when
// those are too few.
#pragma once

#include "attention_decode.h"
#include "attention_tiles.h"

namespace longsight::cpu {

// Who does what: unit u is block u / kv_heads of stacked rows and KV head u % kv_heads; each unit's
// keys are cut into `splits` parts.
struct AttentionPlan {
  int64_t block_rows, blocks, splits;
};

// A part with fewer keys than this is not worth its merge. More parts than threads even out the
// end, above all when other programs take a thread away.
inline constexpr int64_t kLeastKeys = 256;
inline constexpr int64_t kPartsPerThread = 8;

// Splitting costs a merge, so it is done only while there are fewer units than threads keep busy.
static inline AttentionPlan PlanAttention(const AttentionParams& p, int64_t max_block_rows,
                                          int64_t threads, int64_t shared_bytes) {
  const int64_t stacked = StackedRows(p);
  AttentionPlan plan{Min(max_block_rows, stacked), CeilDiv(stacked, max_block_rows), 1};
  const int64_t units = plan.blocks * p.kv_heads;
  if (threads == 1 || units >= 4 * threads) return plan;
  const int64_t partial_bytes =
      plan.block_rows * (p.head_size + 1) * static_cast<int64_t>(sizeof(float));
  const KeyRange keys = VisibleKeysOfBlock(p, 0, stacked);
  const int64_t by_keys = (keys.end - keys.begin) / kLeastKeys;
  const int64_t by_memory = shared_bytes / (units * partial_bytes);
  plan.splits = Max(1, Min(CeilDiv(kPartsPerThread * threads, units), Min(by_keys, by_memory)));
  return plan;
}

static inline PartialAttention PartialSlot(const AttentionParams& p, const AttentionPlan& plan,
                                           void* shared, int64_t slot) {
  float* out = static_cast<float*>(shared) + slot * plan.block_rows * (p.head_size + 1);
  return {out, out + plan.block_rows * p.head_size};
}

// Part `split` of the keys that a block sees; empty parts are possible.
static inline KeyRange SplitKeys(KeyRange keys, int64_t split, int64_t splits) {
  const int64_t part = CeilDiv(keys.end - keys.begin, splits);
  const int64_t begin = Min(keys.end, keys.begin + split * part);
  return {begin, Min(keys.end, begin + part)};
}

// Merges the parts of one unit into the first, and stores that.
static inline void MergeSplits(const AttentionParams& p, const AttentionPlan& plan, void* shared,
                               int64_t unit) {
  const int64_t begin = unit / p.kv_heads * plan.block_rows;
  const int64_t end = Min(StackedRows(p), begin + plan.block_rows);
  const PartialAttention total = PartialSlot(p, plan, shared, unit * plan.splits);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = i - begin;
    float* out = total.out + row * p.head_size;
    for (int64_t split = 1; split < plan.splits; ++split) {
      const PartialAttention part = PartialSlot(p, plan, shared, unit * plan.splits + split);
      MergeRow(out, total.lse + row, part.out + row * p.head_size, part.lse[row], p.head_size);
    }
    StoreRow(p, unit % p.kv_heads, i, out, total.lse[row]);
  }
}

// run(kv_head, begin, end, keys, scratch, partial): attends one block; into p.out when partial is
// null.
template <class Run>
inline void RunPlan(ThreadPool& pool, const AttentionParams& p, const AttentionPlan& plan,
                    Run run) {
  const int64_t units = plan.blocks * p.kv_heads;
  const int64_t stacked = StackedRows(p);
  void* shared = pool.SharedScratch();
  pool.ParallelFor(units * plan.splits, [&](int64_t task, int thread) {
    if (Cancelled(p)) return;
    // The last rows see the most keys, so they go first.
    const int64_t unit = units - 1 - task / plan.splits;
    const int64_t split = task % plan.splits;
    const int64_t begin = unit / p.kv_heads * plan.block_rows;
    const int64_t end = Min(stacked, begin + plan.block_rows);
    const KeyRange keys = SplitKeys(VisibleKeysOfBlock(p, begin, end), split, plan.splits);
    const PartialAttention slot = PartialSlot(p, plan, shared, unit * plan.splits + split);
    run(unit % p.kv_heads, begin, end, keys, pool.Scratch(thread),
        plan.splits > 1 ? &slot : nullptr);
  });
  if (plan.splits == 1 || Cancelled(p)) return;
  pool.ParallelFor(units, [&](int64_t unit, int) { MergeSplits(p, plan, shared, unit); });
}

template <class Block>
inline void RunBlock(Block& block, KeyRange keys, const PartialAttention* partial) {
  if (!block.Run(keys)) return;
  if (partial != nullptr) {
    block.StorePartial(*partial);
  } else {
    block.StoreOut();
  }
}

// Decode: every part of the keys serves all heads, so K and V stream through in order.
template <class S, DType Kv>
inline void DecodeAttention(ThreadPool& pool, const AttentionParams& p, int64_t shared_bytes) {
  const int64_t rows = AttentionDecode<S>::Rows(p);
  const int64_t slot_floats = rows * (p.head_size + 1);
  const KeyRange keys = VisibleKeysOfBlock(p, 0, StackedRows(p));
  const int64_t by_keys = (keys.end - keys.begin) / kLeastKeys;
  const int64_t by_memory = shared_bytes / (slot_floats * static_cast<int64_t>(sizeof(float)));
  const int64_t wanted = pool.threads() == 1 ? 1 : kPartsPerThread * pool.threads();
  const int64_t parts = Max(1, Min(wanted, Min(by_keys, by_memory)));
  const auto slot = [&](int64_t part) {
    float* out = static_cast<float*>(pool.SharedScratch()) + part * slot_floats;
    return PartialAttention{out, out + rows * p.head_size};
  };
  pool.ParallelFor(parts, [&](int64_t part, int thread) {
    const PartialAttention partial = slot(part);
    DecodeBlock<S, Kv> block(p, pool.Scratch(thread));
    RunBlock(block, SplitKeys(keys, part, parts), parts > 1 ? &partial : nullptr);
  });
  if (parts == 1 || Cancelled(p)) return;
  const PartialAttention total = slot(0);
  const int64_t stacked = StackedRows(p);
  for (int64_t n = 0; n < rows; ++n) {
    float* out = total.out + n * p.head_size;
    for (int64_t part = 1; part < parts; ++part) {
      MergeRow(out, total.lse + n, slot(part).out + n * p.head_size, slot(part).lse[n],
               p.head_size);
    }
    StoreRow(p, n / stacked, n % stacked, out, total.lse[n]);
  }
}

template <class S, class Units>
inline void TiledAttention(ThreadPool& pool, const AttentionParams& p, int64_t shared_bytes) {
  const AttentionPlan plan =
      PlanAttention(p, AttentionTiles<S>::BlockRows(p.head_size), pool.threads(), shared_bytes);
  RunPlan(pool, p, plan,
          [&](int64_t kv_head, int64_t begin, int64_t end, KeyRange keys, void* scratch,
              const PartialAttention* partial) {
            AttentionBlock<S, Units> block(p, kv_head, begin, end, scratch);
            RunBlock(block, keys, partial);
          });
}

// PairDot: the instruction set's bf16 dot product, or void where it has none.
template <class S, class PairDot>
void AttentionFor(ThreadPool& pool, const AttentionParams& p) {
  if (p.rows <= 0) return;
  const int64_t shared_bytes =
      int64_t{pool.threads()} * static_cast<int64_t>(ThreadPool::kSharedScratchBytesPerThread);
  if (AttentionDecode<S>::Fits(p)) {
    if (p.kv.type == DType::kBF16) return DecodeAttention<S, DType::kBF16>(pool, p, shared_bytes);
    return DecodeAttention<S, DType::kF32>(pool, p, shared_bytes);
  }
  if constexpr (!__is_same(PairDot, void)) {
    using Paired = PairedTile<S, PairDot>;
    if (Paired::Fits(p)) return TiledAttention<S, Paired>(pool, p, shared_bytes);
  }
  TiledAttention<S, WidenedTile<S>>(pool, p, shared_bytes);
}

}  // namespace longsight::cpu

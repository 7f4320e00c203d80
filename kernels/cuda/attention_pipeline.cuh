// What the loading and the computing warps of a prefill attention CTA share: the kernel's
// parameters, and the barriers between them.
#pragma once

#include <cuda_bf16.h>

#include "attention.h"
#include "attention_tiles.h"
#include "hopper.cuh"

namespace longsight::cuda {

// Positions are relative to the run's first token.
struct PrefillArguments {
  CUtensorMap q_map;  // Hopper only, as the next two: boxes of kBlockRows rows
  CUtensorMap k_map;  // dense: boxes of a tile's keys; sparse: of half a tile's
  CUtensorMap v_map;
  const __nv_bfloat16* q;
  int64_t q_row_stride, q_head_stride;
  const __nv_bfloat16* k;
  const __nv_bfloat16* v;
  int64_t kv_row_stride, kv_head_stride;
  int64_t first_row;  // position of row 0; may be negative
  int64_t window;     // <= 0: none
  int64_t run_first;  // absolute position of the run's first token
  int32_t rows, heads, group, tokens;
  int32_t row_blocks;
  float scale, scale2;  // of scores, and for powers of two
  __nv_bfloat16* out;
  int64_t out_row_stride, out_head_stride;
  float* lse;
  bool merge;
  int32_t* next_task;
  Lines lines;
};

// By what a row's new and old sums are multiplied at its end, and its log-sum-exp.
struct RowShares {
  float mine, old, lse;
};
// top: the highest score; sum: of the weights below it. Every lane of the warp must come here.
__device__ inline RowShares SharesOf(const PrefillArguments& p, int64_t row, int32_t head,
                                     bool inside, float top, float sum) {
  RowShares shares = {sum > 0.0f ? 1.0f / sum : 0.0f, 0.0f,
                      sum > 0.0f ? top * p.scale + __logf(sum) : -INFINITY};
  if (p.merge && inside) {
    const float old = p.lse[row * p.heads + head];
    const float high = fmaxf(shares.lse, old);
    if (high > -INFINITY) {
      const float mine = __expf(shares.lse - high), theirs = __expf(old - high);
      shares.mine *= mine / (mine + theirs);
      shares.old = theirs / (mine + theirs);
      shares.lse = high + __logf(mine + theirs);
    }
  }
  // Every lane must have read the old value before one writes the new.
  __syncwarp();
  return shares;
}

// What a configuration fixes.
template <int kHead, int kTileKeys, int kStageCount, bool kIsSparse, bool kTakeTurns>
struct PrefillConfig {
  static constexpr int kHeadSize = kHead;
  static constexpr int kKeys = kTileKeys;
  static constexpr int kStages = kStageCount;
  static constexpr bool kSparse = kIsSparse;
  // The warpgroups take turns at the tensor cores, so that one's softmax runs under the other's
  // products.
  static constexpr bool kTurns = kTakeTurns;
  static constexpr int kPanels = (kHead + kPanelElements - 1) / kPanelElements;
  static constexpr int kComputeGroups = 2;
  // Loading, computing, and for sparse listing.
  static constexpr int kThreads = 128 * (1 + kComputeGroups + (kIsSparse ? 1 : 0));
  static constexpr int kLoadRegisters = kIsSparse ? 40 : 24;
  static constexpr int kComputeRegisters = kIsSparse ? 200 : 240;
  static constexpr int kListRegisters = 72;
  // Threads that arrive when their part of a tile is loaded.
  static constexpr int kLoadThreads = kIsSparse ? 64 : 1;
  static constexpr SharedPlan kPlan = PlanShared(kHead, kTileKeys, kStageCount, kIsSparse);
};

// A tile as it is listed; sparse only.
enum TileKind : int32_t {
  kOwnRows,  // the row block's own keys, from keys[0] on
  kWhole,
  kPartly,
  kNone,  // the row block has no more
  kStop,  // there are no more row blocks
};
struct TileNote {
  int32_t kind;
  int32_t count;       // of kPartly: keys that count
  int32_t contiguous;  // bit n: half n is the keys from its first on
  int32_t first;       // 1: of its row block; with
  int32_t head;        // its query head
  int32_t first_row;
};

// How many lanes of a warp arrive at a barrier for it. One is enough after __syncwarp; the
// sanitizer's racecheck only sees the accesses of the lanes that arrive themselves.
#if defined(LONGSIGHT_EVERY_LANE_ARRIVES)
inline constexpr int kArrivals = 32;
#else
inline constexpr int kArrivals = 1;
#endif
__device__ inline void ArriveForWarp(uint32_t barrier) {
  __syncwarp();
  if (threadIdx.x % 32 < kArrivals) BarrierArrive(barrier);
}

// Addresses in shared memory. A ring's slot is reused once it was emptied.
template <class C>
struct Pipeline {
  uint32_t base;
  unsigned char* memory;

  __device__ explicit Pipeline(unsigned char* raw) {
    const uint32_t at = SharedAddress(raw);
    base = (at + 1023) & ~1023u;
    memory = raw + (base - at);
  }

  __device__ uint32_t Q() const { return base + C::kPlan.q; }
  __device__ uint32_t K(int stage) const { return base + C::kPlan.k + stage * C::kPlan.tile_bytes; }
  __device__ uint32_t V(int stage) const { return base + C::kPlan.v + stage * C::kPlan.tile_bytes; }
  __device__ volatile int32_t* List(int slot) const {
    return reinterpret_cast<volatile int32_t*>(memory + C::kPlan.lists) + slot * kTileListKeys;
  }

  __device__ uint32_t Barrier(int i) const { return base + C::kPlan.tail + 8 * i; }
  __device__ uint32_t QFull() const { return Barrier(0); }
  __device__ uint32_t QEmpty() const { return Barrier(1); }
  __device__ uint32_t TaskFull(int slot) const { return Barrier(2 + slot); }
  __device__ uint32_t TaskEmpty(int slot) const { return Barrier(4 + slot); }
  __device__ uint32_t KFull(int stage) const { return Barrier(6 + stage); }
  __device__ uint32_t KEmpty(int stage) const { return Barrier(6 + C::kStages + stage); }
  __device__ uint32_t VFull(int stage) const { return Barrier(6 + 2 * C::kStages + stage); }
  __device__ uint32_t VEmpty(int stage) const { return Barrier(6 + 3 * C::kStages + stage); }
  __device__ uint32_t ListFull(int slot) const { return Barrier(6 + 4 * C::kStages + slot); }
  __device__ uint32_t ListEmpty(int slot) const {
    return Barrier(6 + 4 * C::kStages + kTileLists + slot);
  }

  __device__ volatile int32_t* TaskNumber(int slot) const {
    return reinterpret_cast<volatile int32_t*>(memory + C::kPlan.tail + kTaskNumbersAt) + slot;
  }
  __device__ TileNote* Note(int slot) const {
    return reinterpret_cast<TileNote*>(memory + C::kPlan.tail + kNotesAt) + slot;
  }

  static constexpr int kTaskNumbersAt = 1008, kNotesAt = 1024;

  __device__ void Init() const {
    static_assert((6 + 4 * C::kStages + 2 * kTileLists) * 8 <= kTaskNumbersAt);
    static_assert(kNotesAt + kTileLists * sizeof(TileNote) <= kTailBytes);
    constexpr int kComputeWarps = 4 * C::kComputeGroups * kArrivals;
    BarrierInit(QFull(), 1);
    BarrierInit(QEmpty(), kComputeWarps);
    for (int i = 0; i < 2; ++i) {
      BarrierInit(TaskFull(i), 1);
      // The loading thread reads them too.
      BarrierInit(TaskEmpty(i), kComputeWarps + 1);
    }
    for (int i = 0; i < C::kStages; ++i) {
      BarrierInit(KFull(i), C::kLoadThreads);
      BarrierInit(VFull(i), C::kLoadThreads);
      BarrierInit(KEmpty(i), kComputeWarps);
      BarrierInit(VEmpty(i), kComputeWarps);
    }
    for (int i = 0; i < kTileLists; ++i) {
      constexpr int kLoadWarps = 4 * kArrivals;
      BarrierInit(ListFull(i), kArrivals);
      BarrierInit(ListEmpty(i), kComputeWarps + kLoadWarps);
    }
    BarrierInitFence();
  }
};

// A place in a ring of slots. The reader waits for `parity`, the writer for the other one.
template <int kSlots>
struct RingPlace {
  uint32_t count = 0;
  __device__ int slot() const { return static_cast<int>(count % kSlots); }
  __device__ uint32_t parity() const { return count / kSlots & 1; }
  __device__ void Advance() { ++count; }
};

// Dense: the number of the CTA's next task, to every warp or lone thread that asks; negative at the
// end.
template <class C, bool kOneThread>
struct TaskReader {
  RingPlace<2> place;
  __device__ int32_t Next(const Pipeline<C>& pipe) {
    BarrierWait(pipe.TaskFull(place.slot()), place.parity());
    const int32_t number = *pipe.TaskNumber(place.slot());
    if constexpr (kOneThread) {
      BarrierArrive(pipe.TaskEmpty(place.slot()));
    } else {
      ArriveForWarp(pipe.TaskEmpty(place.slot()));
    }
    place.Advance();
    return number;
  }
};

// Dense: draws tasks ahead of the others; one thread of the CTA.
template <class C>
struct TaskDrawer {
  RingPlace<2> place;
  __device__ void Draw(const Pipeline<C>& pipe, const PrefillArguments& p) {
    const int32_t number = atomicAdd(p.next_task, 1);
    BarrierWait(pipe.TaskEmpty(place.slot()), place.parity() ^ 1);
    *pipe.TaskNumber(place.slot()) = number < p.row_blocks * p.heads ? number : -1;
    BarrierArrive(pipe.TaskFull(place.slot()));
    place.Advance();
  }
};

}  // namespace longsight::cuda

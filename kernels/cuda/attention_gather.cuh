// How sparse prefill attention loads.
#pragma once

#include "attention_pipeline.cuh"

namespace longsight::cuda {

// Four warps: a half of every tile of keys or of values to each, so that none waits for a slot that
// another fills. A half tile whose keys are contiguous comes by the copy engine, another key by
// key.
template <class C>
class Gatherer {
 public:
  __device__ Gatherer(const Pipeline<C>& pipe, const PrefillArguments& p)
      : pipe_(pipe),
        p_(p),
        lane_(threadIdx.x % 32),
        values_(threadIdx.x / 64 == 1),
        half_(threadIdx.x / 32 % 2) {}

  __device__ void Run() {
    for (;;) {
      BarrierWait(pipe_.ListFull(list_.slot()), list_.parity());
      const TileNote note = *pipe_.Note(list_.slot());
      if (note.kind == kStop) return;
      if (note.kind != kNone) {
        LoadTile(note.contiguous >> half_ & 1, note.head / p_.group,
                 pipe_.List(list_.slot()) + half_ * kHalfKeys);
      }
      // After the keys: their slot is free earlier.
      if (note.first != 0 && threadIdx.x / 32 == 0) LoadQ(note);
      ArriveForWarp(pipe_.ListEmpty(list_.slot()));
      list_.Advance();
    }
  }

 private:
  static_assert(C::kKeys == kTileListKeys);
  static constexpr int kChunks = C::kHeadSize / 8;
  static constexpr int kLanesOfRow = kChunks > 8 ? 16 : 8;
  static constexpr int kRowsAtOnce = 32 / kLanesOfRow;

  __device__ void LoadQ(const TileNote& note) {
    if (lane_ == 0) {
      BarrierWait(pipe_.QEmpty(), q_parity_ ^ 1);
      BarrierArriveExpect(pipe_.QFull(), C::kPanels * kBlockRows * kPanelRowBytes);
#pragma unroll
      for (int panel = 0; panel < C::kPanels; ++panel) {
        CopyBox(pipe_.Q() + panel * kBlockRows * kPanelRowBytes, &p_.q_map, pipe_.QFull(),
                panel * kPanelElements, note.first_row, note.head);
      }
    }
    q_parity_ ^= 1;
  }

  // keys[kHalfKeys], or from keys[0] on.
  __device__ void LoadTile(bool contiguous, int32_t kv_head, const volatile int32_t* keys) {
    const int slot = place_.slot();
    const uint32_t full = values_ ? pipe_.VFull(slot) : pipe_.KFull(slot);
    const uint32_t to =
        (values_ ? pipe_.V(slot) : pipe_.K(slot)) + half_ * kHalfKeys * kPanelRowBytes;
    BarrierWait(values_ ? pipe_.VEmpty(slot) : pipe_.KEmpty(slot), place_.parity() ^ 1);
    place_.Advance();
    if (!contiguous) {
      Gather(to, kv_head, keys);
    } else if (lane_ == 0) {
      BarrierExpect(full, C::kPanels * kHalfKeys * kPanelRowBytes);
#pragma unroll
      for (int panel = 0; panel < C::kPanels; ++panel) {
        CopyBox(to + panel * C::kKeys * kPanelRowBytes, values_ ? &p_.v_map : &p_.k_map, full,
                panel * kPanelElements, keys[0], kv_head);
      }
    }
    __syncwarp();
    BarrierArriveAfterChunks(full);
  }

  __device__ void Gather(uint32_t to, int32_t kv_head, const volatile int32_t* keys) {
    const int chunk = lane_ % kLanesOfRow, first = lane_ / kLanesOfRow;
    const auto* from = reinterpret_cast<const char*>((values_ ? p_.v : p_.k) +
                                                     kv_head * p_.kv_head_stride + chunk * 8);
    const auto stride = static_cast<int32_t>(p_.kv_row_stride * 2);
    // The swizzle repeats every 8 rows.
    constexpr int kTurns = 8 / kRowsAtOnce;
    uint32_t offset[kTurns];
#pragma unroll
    for (int i = 0; i < kTurns; ++i) {
      offset[i] = to + SwizzledOffset(i * kRowsAtOnce + first, chunk, C::kKeys);
    }
    keys += first;
    // Keys are fetched several at a time: a copy may not be moved ahead of another's key.
    constexpr int kBatch = 8;
#pragma unroll 1
    for (int i = 0; i < kHalfKeys / kRowsAtOnce; i += kBatch) {
      int32_t of_batch[kBatch];
#pragma unroll
      for (int n = 0; n < kBatch; ++n) of_batch[n] = keys[n * kRowsAtOnce];
#pragma unroll
      for (int n = 0; n < kBatch; ++n) {
        const uint32_t at = offset[n % kTurns] + n / kTurns * (8 * kPanelRowBytes);
        const char* row = from + static_cast<int64_t>(of_batch[n]) * stride;
        if (kChunks == kLanesOfRow || chunk < kChunks) CopyChunk(at, row);
      }
      keys += kBatch * kRowsAtOnce;
#pragma unroll
      for (int n = 0; n < kTurns; ++n) offset[n] += kBatch * kRowsAtOnce * kPanelRowBytes;
    }
  }

  const Pipeline<C>& pipe_;
  const PrefillArguments& p_;
  const int lane_;
  const bool values_;
  const int half_;
  uint32_t q_parity_ = 0;
  RingPlace<kTileLists> list_;
  RingPlace<C::kStages> place_;
};

}  // namespace longsight::cuda

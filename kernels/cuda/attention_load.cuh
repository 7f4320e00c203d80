// The loading warps of prefill attention.
#pragma once

#include "attention_cover.h"
#include "attention_pipeline.cuh"

namespace longsight::cuda {

// One thread: every tile by the copy engine.
template <class C>
__device__ void LoadDense(const Pipeline<C>& pipe, const PrefillArguments& p) {
  TaskDrawer<C> drawer;
  TaskReader<C> reader;
  RingPlace<C::kStages> k_place, v_place;
  uint32_t q_parity = 0;
  drawer.Draw(pipe, p);
  const auto load = [&](const CUtensorMap& map, uint32_t to, uint32_t full, int32_t key,
                        int32_t head) {
    BarrierArriveExpect(full, C::kPlan.tile_bytes);
#pragma unroll
    for (int panel = 0; panel < C::kPanels; ++panel) {
      CopyBox(to + panel * C::kKeys * kPanelRowBytes, &map, full, panel * kPanelElements, key,
              head);
    }
  };
  for (;;) {
    const int32_t number = reader.Next(pipe);
    if (number < 0) return;
    drawer.Draw(pipe, p);
    const Task task = DenseTask(number, p.row_blocks, p.group);
    const int32_t kv_head = task.head / p.group, first = task.row_block * kBlockRows;
    const int64_t rows = Least(kBlockRows, p.rows - first);
    const KeySpan span = SeenKeys(p.first_row + first, rows, p.window, p.tokens);
    const int tiles = TileCount(span, C::kKeys);
    const auto load_k = [&](int tile) {
      BarrierWait(pipe.KEmpty(k_place.slot), k_place.parity ^ 1);
      load(p.k_map, pipe.K(k_place.slot), pipe.KFull(k_place.slot),
           TileBegin(span, C::kKeys, tile), kv_head);
      k_place.Advance();
    };
    // The first keys before the queries: their slot is free earlier.
    if (tiles > 0) load_k(0);
    BarrierWait(pipe.QEmpty(), q_parity ^ 1);
    q_parity ^= 1;
    BarrierArriveExpect(pipe.QFull(), C::kPanels * kBlockRows * kPanelRowBytes);
#pragma unroll
    for (int panel = 0; panel < C::kPanels; ++panel) {
      CopyBox(pipe.Q() + panel * kBlockRows * kPanelRowBytes, &p.q_map, pipe.QFull(),
              panel * kPanelElements, first, task.head);
    }
    for (int tile = 0; tile < tiles; ++tile) {
      if (tile + 1 < tiles) load_k(tile + 1);
      BarrierWait(pipe.VEmpty(v_place.slot), v_place.parity ^ 1);
      load(p.v_map, pipe.V(v_place.slot), pipe.VFull(v_place.slot),
           TileBegin(span, C::kKeys, tile), kv_head);
      v_place.Advance();
    }
  }
}

// The keys of a row block's cover, 32 lanes together, in the order near, first, bands, loose
// columns. Every loading warp makes the same list in a ring of its own: that costs less than
// telling the others.
class CoverStream {
 public:
  __device__ CoverStream(const PrefillArguments& p, const HeadCover& head, RowSpan rows,
                         const int32_t* blocks, volatile int32_t* ring)
      : p_(p), head_(head), rows_(rows), blocks_(blocks), ring_(ring) {}

  // Fills the ring up to `wanted` keys from the row block's start, and the rest of those with the
  // last key. Returns how many keys there are, which is less than `wanted` only at the end.
  __device__ int32_t FillTo(int32_t wanted) {
    const int lane = threadIdx.x % 32;
    while (written_ < wanted && part_ != kEnd) {
      if (piece_.begin < piece_.end) {
        const int32_t count = Lesser(piece_.end - piece_.begin, wanted - written_);
        for (int32_t i = lane; i < count; i += 32) At(written_ + i) = piece_.begin + i;
        written_ += count;
        piece_.begin += count;
      } else {
        Turn(lane);
      }
    }
    const int32_t count = Lesser(written_, wanted);
    __syncwarp();
    if (count < wanted && count > 0) {
      const int32_t last = At(count - 1);
      for (int32_t i = count + lane; i < wanted; i += 32) At(i) = last;
      __syncwarp();
    }
    return count;
  }

  // 64 keys from a multiple of 64 on: they do not go round the ring's end.
  __device__ const volatile int32_t* KeysAt(int32_t i) const {
    return ring_ + (i & (kRingKeys - 1));
  }

 private:
  enum Part { kNear, kFirst, kBands, kBlocks, kColumns, kEnd };
  // Columns of a lane that are looked up side by side. A turn may add as many keys as there are
  // beyond a tile's in the ring.
  static constexpr int kAtOnce = 4;
  static_assert(32 * kAtOnce <= kRingKeys - 128);

  __device__ volatile int32_t& At(int32_t i) { return ring_[i & (kRingKeys - 1)]; }

  // The part of a piece that lies in the run, from its first token on.
  __device__ Piece InRun(Piece piece) const {
    const auto first = static_cast<int32_t>(p_.run_first);
    return {Greater(piece.begin - first, 0), Lesser(piece.end - first, p_.tokens)};
  }

  // The next piece, or some columns.
  __device__ void Turn(int lane) {
    switch (part_) {
      case kNear:
        piece_ = InRun(NearPiece(head_, rows_));
        if (blocks_ != nullptr) {
          // From the start of the block that holds the first row.
          const auto block = static_cast<int32_t>(index::kKeyBlock);
          piece_ = InRun({rows_.begin / block * block, rows_.begin});
        }
        part_ = kFirst;
        break;
      case kFirst:
        piece_ = InRun(FirstPiece(head_, rows_));
        part_ = blocks_ != nullptr ? kBlocks : kBands;
        next_ = blocks_ != nullptr ? 0 : 1;
        break;
      case kBands:
        TurnBand(lane);
        break;
      case kBlocks: {
        const int32_t block = next_ < p_.lines.block_capacity ? blocks_[next_] : -1;
        ++next_;
        if (block < 0) {
          part_ = kEnd;
        } else {
          constexpr auto kBlock = static_cast<int32_t>(index::kKeyBlock);
          piece_ = InRun({block * kBlock, (block + 1) * kBlock});
        }
        break;
      }
      case kColumns: {
        if (next_ >= head_.column_count) {
          part_ = kEnd;
          break;
        }
        int32_t columns[kAtOnce];
        bool loose[kAtOnce];
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          const int32_t i = next_ + j * 32 + lane;
          columns[j] = i < head_.column_count ? head_.columns[i] : rows_.begin;
        }
        AreLoose(head_, rows_, columns, loose);
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          const int32_t key = columns[j] - static_cast<int32_t>(p_.run_first);
          const bool in = loose[j] && key >= 0 && key < p_.tokens;
          const uint32_t vote = __ballot_sync(0xffffffffu, in);
          if (in) At(written_ + __popc(vote & ((1u << lane) - 1))) = key;
          written_ += __popc(vote);
        }
        next_ += 32 * kAtOnce;
        break;
      }
      case kEnd:
        break;
    }
  }

  // 32 bands at a time, one to a lane; next_ is the one that is due.
  __device__ void TurnBand(int lane) {
    if (next_ >= head_.band_count) {
      part_ = kColumns;
      next_ = 0;
      return;
    }
    const int turn = (next_ - 1) % 32;
    if (turn == 0) {
      const int32_t i = next_ + lane;
      of_lane_ = {0, 0};
      if (i < head_.band_count) of_lane_ = InRun(BandPiece(head_, rows_, i));
    }
    piece_.begin = __shfl_sync(0xffffffffu, of_lane_.begin, turn);
    piece_.end = __shfl_sync(0xffffffffu, of_lane_.end, turn);
    ++next_;
    // Bands ascend: once one lies before position 0, the rest do.
    if (turn == 31 && next_ < head_.band_count && BeforeStart(head_, rows_, next_)) {
      next_ = head_.band_count;
    }
  }

  const PrefillArguments& p_;
  const HeadCover head_;
  const RowSpan rows_;
  const int32_t* const blocks_;
  volatile int32_t* const ring_;
  int32_t written_ = 0;
  int32_t part_ = kNear;
  Piece piece_ = {0, 0};
  Piece of_lane_ = {0, 0};
  int32_t next_ = 0;
};

// Four warps: a half of every tile of keys or of values to each, so that none waits for a slot that
// another fills. A half tile whose keys are contiguous comes by the copy engine, another key by key.
template <class C>
class SparseLoader {
 public:
  __device__ SparseLoader(const Pipeline<C>& pipe, const PrefillArguments& p)
      : pipe_(pipe),
        p_(p),
        warp_(threadIdx.x / 32),
        lane_(threadIdx.x % 32),
        values_(warp_ >= 2),
        half_(warp_ % 2 * kHalf) {}

  __device__ void Run() {
    TaskDrawer<C> drawer;
    TaskReader<C> reader;
    const bool leader = warp_ == 0 && lane_ == 0;
    if (leader) drawer.Draw(pipe_, p_);
    __syncwarp();
    for (;;) {
      const int32_t number = reader.Next(pipe_);
      if (number < 0) break;
      if (leader) drawer.Draw(pipe_, p_);
      __syncwarp();
      Attend(number);
    }
  }

 private:
  static constexpr int kHalf = C::kKeys / 2;
  static_assert(kHalf == 64);
  static constexpr int kChunks = C::kHeadSize / 8;
  static constexpr int kLanesOfRow = kChunks > 8 ? 16 : 8;
  static constexpr int kRowsAtOnce = 32 / kLanesOfRow;

  __device__ void Attend(int32_t number) {
    const Task task = SparseTask(number, p_.row_blocks);
    const int32_t head = p_.lines.order[task.head];
    const HeadLines lines = p_.lines.heads[head];
    kv_head_ = head / p_.group;
    const int32_t first = task.row_block * kBlockRows;
    const auto position = static_cast<int32_t>(p_.run_first + p_.first_row) + first;
    const RowSpan rows = {position,
                          position + static_cast<int32_t>(Least(kBlockRows, p_.rows - first))};
    HeadCover cover = {lines.first_keys, lines.column_count, lines.band_count,
                       p_.lines.columns + head * p_.lines.column_capacity,
                       p_.lines.bands + head * p_.lines.band_capacity};
    const int32_t* blocks = nullptr;
    if (lines.kind == static_cast<int32_t>(index::PatternKind::kBlockSparse)) {
      blocks = p_.lines.blocks + (static_cast<int64_t>(head) * p_.row_blocks + task.row_block) *
                                     p_.lines.block_capacity;
      cover.first_keys = cover.band_count = cover.column_count = 0;
    } else if (lines.kind == static_cast<int32_t>(index::PatternKind::kDense)) {
      cover.first_keys = rows.begin;
      cover.band_count = cover.column_count = 0;
    }
    // A value warp asks for the queries: the keys go ahead meanwhile.
    if (warp_ == 2) LoadQ(first, head);
    // The row block's own keys are the first tile, wherever the run has any of them.
    const auto own = static_cast<int32_t>(p_.first_row) + first;
    if (own + kBlockRows > 0 && own < p_.tokens) LoadTile({kOwnRows, 0}, true, own + half_, nullptr);
    CoverStream stream(p_, cover, rows, blocks, pipe_.Ring(warp_));
    for (int32_t begin = 0;; begin += C::kKeys) {
      const int32_t count = stream.FillTo(begin + C::kKeys) - begin;
      if (count <= 0) break;
      const volatile int32_t* keys = stream.KeysAt(begin + half_);
      const int32_t key = keys[0];
      const bool contiguous = __all_sync(
          0xffffffffu, keys[lane_] == key + lane_ && keys[32 + lane_] == key + 32 + lane_);
      LoadTile({count == C::kKeys ? kWhole : kPartly, count}, contiguous, key, keys);
      __syncwarp();
      if (count < C::kKeys) break;
    }
    if (!values_) LoadTile({kNone, 0}, true, 0, nullptr);
  }

  __device__ void LoadQ(int32_t first, int32_t head) {
    if (lane_ == 0) {
      BarrierWait(pipe_.QEmpty(), q_parity_ ^ 1);
      BarrierArriveExpect(pipe_.QFull(), C::kPanels * kBlockRows * kPanelRowBytes);
#pragma unroll
      for (int panel = 0; panel < C::kPanels; ++panel) {
        CopyBox(pipe_.Q() + panel * kBlockRows * kPanelRowBytes, &p_.q_map, pipe_.QFull(),
                panel * kPanelElements, first, head);
      }
    }
    __syncwarp();
    q_parity_ ^= 1;
  }

  // This warp's half: contiguous from `key`, or keys[kHalf].
  __device__ void LoadTile(TileNote note, bool contiguous, int32_t key,
                           const volatile int32_t* keys) {
    const int slot = place_.slot;
    const uint32_t full = values_ ? pipe_.VFull(slot) : pipe_.KFull(slot);
    const uint32_t to = (values_ ? pipe_.V(slot) : pipe_.K(slot)) + half_ * kPanelRowBytes;
    BarrierWait(values_ ? pipe_.VEmpty(slot) : pipe_.KEmpty(slot), place_.parity ^ 1);
    place_.Advance();
    if (warp_ == 0 && lane_ == 0) {
      pipe_.Note(slot)->kind = note.kind;
      pipe_.Note(slot)->count = note.count;
      BarrierArrive(pipe_.NoteFull(slot));
    }
    if (note.kind == kNone) return BarrierArriveAfterChunks(full);
    if (contiguous) {
      if (lane_ == 0) {
        BarrierExpect(full, C::kPanels * kHalf * kPanelRowBytes);
#pragma unroll
        for (int panel = 0; panel < C::kPanels; ++panel) {
          CopyBox(to + panel * C::kKeys * kPanelRowBytes, values_ ? &p_.v_map : &p_.k_map, full,
                  panel * kPanelElements, key, kv_head_);
        }
      }
    } else {
      Gather(to, keys);
    }
    BarrierArriveAfterChunks(full);
  }

  __device__ void Gather(uint32_t to, const volatile int32_t* keys) {
    const int chunk = lane_ % kLanesOfRow, first = lane_ / kLanesOfRow;
    const auto* from = reinterpret_cast<const char*>(
        (values_ ? p_.v : p_.k) + kv_head_ * p_.kv_head_stride + chunk * 8);
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
    for (int i = 0; i < kHalf / kRowsAtOnce; i += kBatch) {
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
  const int warp_, lane_;
  const bool values_;
  const int half_;
  int32_t kv_head_ = 0;
  uint32_t q_parity_ = 0;
  RingPlace<C::kStages> place_;
};

}  // namespace longsight::cuda

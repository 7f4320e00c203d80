// Which keys a row block's tiles hold: the warp of sparse prefill attention that writes the lists.
#pragma once

#include "attention_cover.h"
#include "attention_pipeline.cuh"

namespace longsight::cuda {

// The keys of a row block's cover, 32 lanes together, in the order near, first, bands, loose
// columns, written to a ring from `base` on.
class CoverStream {
 public:
  __device__ CoverStream(const PrefillArguments& p, const HeadCover& head, RowSpan rows,
                         const int32_t* blocks, volatile int32_t* ring, int32_t base)
      : p_(p), head_(head), rows_(rows), blocks_(blocks), ring_(ring), base_(base) {}

  // Fills the ring up to `wanted` keys from the row block's start, and the rest of those with the
  // last key. Returns how many keys there are, which is less than `wanted` only at the end.
  __device__ int32_t FillTo(int32_t wanted) {
    const int lane = threadIdx.x % 32;
    while (written_ < wanted && part_ != kEnd) {
      if (piece_.begin < piece_.end) {
        const int32_t count = Lesser(piece_.end - piece_.begin, wanted - written_);
#pragma unroll 1
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
#pragma unroll 1
      for (int32_t i = count + lane; i < wanted; i += 32) At(i) = last;
      __syncwarp();
    }
    return count;
  }

 private:
  enum Part { kNear, kFirst, kBands, kBlocks, kColumns, kEnd };
  // Columns of a lane that are looked up side by side. A turn may add as many keys as
  // the ring's next tile has room for.
  static constexpr int kAtOnce = 2;
  static_assert(32 * kAtOnce <= kTileListKeys);

  __device__ volatile int32_t& At(int32_t i) { return ring_[(base_ + i) & (kRingKeys - 1)]; }

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
        int32_t columns[kAtOnce];
        bool loose[kAtOnce];
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          const int32_t i = next_ + j * 32 + lane;
          columns[j] = i < head_.column_count ? head_.columns[i] : rows_.begin;
        }
        // They ascend: once one is not left of the rows, or none is left, the rest is not.
        if (__shfl_sync(0xffffffffu, columns[0], 0) >= rows_.begin) {
          part_ = kEnd;
          break;
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
  const int32_t base_;
  int32_t written_ = 0;
  int32_t part_ = kNear;
  Piece piece_ = {0, 0};
  Piece of_lane_ = {0, 0};
  int32_t next_ = 0;
};

struct CoverOfHead {
  HeadCover cover;
  RowSpan rows;
  const int32_t* blocks;  // of a block-sparse head, else null
};
// `first`: the row block's first row in the chunk.
__device__ inline CoverOfHead CoverOf(const PrefillArguments& p, int32_t head, int32_t row_block,
                                      int32_t first) {
  const HeadLines lines = p.lines.heads[head];
  const auto position = static_cast<int32_t>(p.run_first + p.first_row) + first;
  CoverOfHead of_head = {
      {lines.first_keys, lines.column_count, lines.band_count,
       p.lines.columns + head * p.lines.column_capacity,
       p.lines.bands + head * p.lines.band_capacity},
      {position, position + static_cast<int32_t>(Least(kBlockRows, p.rows - first))},
      nullptr};
  HeadCover& cover = of_head.cover;
  if (lines.kind == static_cast<int32_t>(index::PatternKind::kBlockSparse)) {
    of_head.blocks = p.lines.blocks + (static_cast<int64_t>(head) * p.row_blocks + row_block) *
                                          p.lines.block_capacity;
    cover.first_keys = cover.band_count = cover.column_count = 0;
  } else if (lines.kind == static_cast<int32_t>(index::PatternKind::kDense)) {
    cover.first_keys = position;
    cover.band_count = cover.column_count = 0;
  }
  return of_head;
}

// Draws the CTA's tasks and lists their tiles, some tiles ahead of those that load and compute
// them.
template <class C>
class TileLister {
 public:
  __device__ TileLister(const Pipeline<C>& pipe, const PrefillArguments& p)
      : pipe_(pipe), p_(p), lane_(threadIdx.x % 32) {}

  __device__ void Run() {
    int32_t drawn = Draw();
    for (;;) {
      const int32_t number = __shfl_sync(0xffffffffu, drawn, 0);
      if (number >= p_.row_blocks * p_.heads) break;
      // Ahead: the next number is there when it is needed.
      drawn = Draw();
      List(number);
    }
    Await(0);
    Post({kStop, 0, 0, 0, 0, 0});
  }

 private:
  __device__ int32_t Draw() { return lane_ == 0 ? atomicAdd(p_.next_task, 1) : 0; }

  __device__ void List(int32_t number) {
    const Task task = SparseTask(number, p_.row_blocks);
    const int32_t head = p_.lines.order[task.head];
    const int32_t first = task.row_block * kBlockRows;
    const CoverOfHead of_head = CoverOf(p_, head, task.row_block, first);
    TileNote note = {kOwnRows, 0, 3, 1, head, first};
    // The row block's own keys are the first tile, wherever the run has any of them.
    const auto own = static_cast<int32_t>(p_.first_row) + first;
    if (own + kBlockRows > 0 && own < p_.tokens) {
      Await(0);
      if (lane_ < 2) pipe_.List(place_.slot())[lane_ * kHalfKeys] = own + lane_ * kHalfKeys;
      Post(note);
      note.first = 0;
    }
    CoverStream stream(p_, of_head.cover, of_head.rows, of_head.blocks, pipe_.List(0),
                       place_.slot() * kTileListKeys);
    for (int32_t begin = 0;; begin += C::kKeys) {
      // The list may run over into the next tile's.
      Await(1);
      note.count = stream.FillTo(begin + C::kKeys) - begin;
      if (note.count <= 0) break;
      note.kind = note.count == C::kKeys ? kWhole : kPartly;
      const volatile int32_t* keys = pipe_.List(place_.slot());
      note.contiguous = Contiguous(keys) | Contiguous(keys + kHalfKeys) << 1;
      Post(note);
      note.first = 0;
      if (note.kind == kPartly) break;
    }
    Await(0);
    note.kind = kNone;
    Post(note);
  }

  __device__ int32_t Contiguous(const volatile int32_t* keys) const {
    const int32_t key = keys[0], low = keys[lane_], high = keys[lane_ + 32];
    return __all_sync(0xffffffffu, low == key + lane_ && high == key + 32 + lane_) ? 1 : 0;
  }

  // Until the list after `ahead` more ones may be written.
  __device__ void Await(int ahead) {
    RingPlace<kTileLists> place = place_;
    if (ahead == 1) place.Advance();
    BarrierWait(pipe_.ListEmpty(place.slot()), place.parity() ^ 1);
  }
  __device__ void Post(const TileNote& note) {
    if (lane_ == 0) *pipe_.Note(place_.slot()) = note;
    ArriveForWarp(pipe_.ListFull(place_.slot()));
    place_.Advance();
  }

  const Pipeline<C>& pipe_;
  const PrefillArguments& p_;
  const int lane_;
  RingPlace<kTileLists> place_;
};

}  // namespace longsight::cuda

// The computing warpgroups of prefill attention: 64 rows each, online softmax in fp32. While the
// tensor cores work on a tile's scores, they also add the tile before to the output, and the
// softmax of one runs under the products of the other.
#pragma once

#include "attention_pipeline.cuh"
#include "wgmma.cuh"

namespace longsight::cuda {

template <class C>
class ComputeGroup {
 public:
  __device__ ComputeGroup(const Pipeline<C>& pipe, const PrefillArguments& p)
      : pipe_(pipe), p_(p), group_(static_cast<int>(threadIdx.x / 128) - 1) {}

  __device__ void Run() {
    // The first group goes first.
    if (C::kTurns && group_ == 1) PassTurn();
    if constexpr (C::kSparse) {
      for (;;) {
        const TileNote note = NextNote();
        if (note.kind == kStop) return;
        first_row_ = note.first_row;
        first_kind_ = note.kind;
        first_count_ = note.count;
        Attend(note.head);
      }
    } else {
      TaskReader<C, false> reader;
      for (;;) {
        const int32_t number = reader.Next(pipe_);
        if (number < 0) return;
        const Task task = DenseTask(number, p_.row_blocks, p_.group);
        first_row_ = task.row_block * kBlockRows;
        const int64_t rows = Least(kBlockRows, p_.rows - first_row_);
        span_ = SeenKeys(p_.first_row + first_row_, rows, p_.window, p_.tokens);
        tiles_ = TileCount(span_, C::kKeys);
        tile_ = 0;
        Attend(task.head);
      }
    }
  }

 private:
  static constexpr int kScores = C::kKeys / 2;  // of a thread
  static constexpr int kOutputs = C::kHeadSize / 2;
  static constexpr int kPanelBytes = C::kKeys * kPanelRowBytes;

  // A tile that is in shared memory.
  struct Tile {
    bool none;
    bool masked;
    // Sparse and not the row block's own: how many keys count. Else -1.
    int32_t count;
    int32_t begin;
  };

  // Computed anew where it is needed: registers are short.
  __device__ static int Lane() { return threadIdx.x % 32; }
  // This thread's first row within the row block; its other one is 8 further.
  __device__ int Row() const { return group_ * 64 + threadIdx.x / 32 % 4 * 16 + Lane() / 4; }

  // One row block of a head.
  __device__ void Attend(int32_t head) {
    top_[0] = top_[1] = -INFINITY;
    sum_[0] = sum_[1] = 0.0f;
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) out_[i] = 0.0f;

    BarrierWait(pipe_.QFull(), q_parity_);
    q_parity_ ^= 1;
    Tile tile = NextTile();
    if (!tile.none) {
      AwaitTurn();
      Pin(scores_);
      WgmmaFence();
      ScoreTile();
      WgmmaCommit();
      PassTurn();
      WgmmaWait<0>();
      Pin(scores_);
      ReleaseK();
      Softmax(tile);
      Round();
      for (;;) {
        tile = NextTile();
        if (tile.none) break;
        AwaitTurn();
        Pin(scores_);
        WgmmaFence();
        ScoreTile();
        WgmmaCommit();
        AwaitV();
        Pin(out_);
        WgmmaFence();
        AddTile();
        WgmmaCommit();
        PassTurn();
        WgmmaWait<1>();
        Pin(scores_);
        ReleaseK();
        Softmax(tile);
        WgmmaWait<0>();
        Pin(out_);
        ReleaseV();
        Rescale();
        Round();
      }
      ReleaseQ();
      AwaitV();
      Pin(out_);
      WgmmaFence();
      AddTile();
      WgmmaCommit();
      WgmmaWait<0>();
      Pin(out_);
      ReleaseV();
    } else {
      ReleaseQ();
    }
    Store(head);
  }

  // The next tile once its keys are in.
  __device__ Tile NextTile() {
    Tile tile{};
    if constexpr (C::kSparse) {
      // The first one's note is read already.
      int32_t kind = first_kind_, count = first_count_;
      if (kind < 0) {
        const TileNote note = NextNote();
        kind = note.kind;
        count = note.count;
      }
      first_kind_ = -1;
      tile.none = kind == kNone;
      if (tile.none) return tile;
      tile.masked = kind != kWhole;
      tile.begin = static_cast<int32_t>(p_.first_row) + first_row_;
      tile.count = kind == kOwnRows ? -1 : count;
      BarrierWait(pipe_.KFull(k_place_.slot()), k_place_.parity());
      FenceProxy();
      return tile;
    }
    tile.none = tile_ >= tiles_;
    if (tile.none) return tile;
    const int32_t begin = TileBegin(span_, C::kKeys, tile_++);
    const int64_t row = p_.first_row + first_row_;
    tile.begin = begin;
    tile.count = -1;
    // Whether any row of the group needs a mask.
    tile.masked = begin < span_.begin || begin + C::kKeys - 1 > row + group_ * 64 ||
                  (p_.window > 0 && begin <= row + kBlockRows - 1 - p_.window);
    BarrierWait(pipe_.KFull(k_place_.slot()), k_place_.parity());
    return tile;
  }

  // Sparse: what is listed next.
  __device__ TileNote NextNote() {
    BarrierWait(pipe_.ListFull(list_place_.slot()), list_place_.parity());
    const TileNote note = *pipe_.Note(list_place_.slot());
    ArriveForWarp(pipe_.ListEmpty(list_place_.slot()));
    list_place_.Advance();
    return note;
  }

  __device__ void AwaitV() {
    BarrierWait(pipe_.VFull(v_place_.slot()), v_place_.parity());
    // Rows that came one by one were written by ordinary copies.
    if (C::kSparse) FenceProxy();
  }

  // scores_ = Q K^T of the tile at hand.
  __device__ void ScoreTile() {
    const uint32_t q = pipe_.Q() + group_ * 64 * kPanelRowBytes;
    const uint32_t k = pipe_.K(k_place_.slot());
#pragma unroll
    for (int i = 0; i < C::kHeadSize / 16; ++i) {
      const uint32_t panel = i / 4, within = i % 4 * 32;
      Wgmma<C::kKeys>::Shared(scores_,
                              OperandAt(q + panel * kBlockRows * kPanelRowBytes + within, 16),
                              OperandAt(k + panel * kPanelBytes + within, 16), i > 0);
    }
  }

  // out_ += P V of the tile before.
  __device__ void AddTile() {
    const uint32_t v = pipe_.V(v_place_.slot());
#pragma unroll
    for (int i = 0; i < C::kKeys / 16; ++i) {
      Wgmma<C::kHeadSize>::Registers(out_, weights_[4 * i], weights_[4 * i + 1],
                                     weights_[4 * i + 2], weights_[4 * i + 3],
                                     OperandAt(v + i * 16 * kPanelRowBytes, kPanelBytes));
    }
  }

  __device__ void Softmax(const Tile& tile) {
    if (tile.masked) Mask(tile);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float top = top_[r];
#pragma unroll
      for (int i = 0; i < kScores; i += 4) {
        top = fmaxf(top, fmaxf(scores_[i + 2 * r], scores_[i + 2 * r + 1]));
      }
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
      const float finite = top == -INFINITY ? 0.0f : top;
      const float base = finite * p_.scale2;
      // Of the difference: exactly 1 while the top stays. Fused with `base`, the product's rounding
      // would enter the sum at every tile, 8,192 times at a million tokens.
      shrink_[r] = Exp2((top_[r] - finite) * p_.scale2);
      top_[r] = top;
      float sum = 0.0f;
#pragma unroll
      for (int i = 0; i < kScores; i += 4) {
        scores_[i + 2 * r] = Exp2(scores_[i + 2 * r] * p_.scale2 - base);
        scores_[i + 2 * r + 1] = Exp2(scores_[i + 2 * r + 1] * p_.scale2 - base);
        sum += scores_[i + 2 * r] + scores_[i + 2 * r + 1];
      }
      sum_[r] = sum_[r] * shrink_[r] + sum;
    }
  }

  __device__ void Mask(const Tile& tile) {
    TileMask rows[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int64_t row = p_.first_row + first_row_ + Row() + 8 * r;
      if constexpr (C::kSparse) {
        rows[r] = tile.count >= 0 ? TileMask{0, tile.count - 1}
                                  : MaskOfRow(tile.begin, row, 0, {0, p_.tokens});
      } else {
        rows[r] = MaskOfRow(tile.begin, row, p_.window, span_);
      }
    }
#pragma unroll
    for (int i = 0; i < kScores; ++i) {
      const int key = i / 4 * 8 + Lane() % 4 * 2 + i % 2;
      const TileMask& mask = rows[i / 2 % 2];
      if (key < mask.low || key > mask.high) scores_[i] = -INFINITY;
    }
  }

  __device__ void Rescale() {
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) out_[i] *= shrink_[i / 2 % 2];
  }

  // The scores' layout in registers is that of the next product's operand.
  __device__ void Round() {
#pragma unroll
    for (int i = 0; i < kScores; i += 2) weights_[i / 2] = PackBf16(scores_[i], scores_[i + 1]);
  }

  __device__ void AwaitTurn() {
    if (C::kTurns) NamedBarrierSync(1 + group_, 256);
  }
  __device__ void PassTurn() {
    if (C::kTurns) NamedBarrierArrive(2 - group_, 256);
  }

  __device__ void ReleaseQ() { ArriveForWarp(pipe_.QEmpty()); }
  __device__ void ReleaseK() {
    ArriveForWarp(pipe_.KEmpty(k_place_.slot()));
    k_place_.Advance();
  }
  __device__ void ReleaseV() {
    ArriveForWarp(pipe_.VEmpty(v_place_.slot()));
    v_place_.Advance();
  }

  __device__ void Store(int32_t head) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float sum = sum_[r];
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      const int64_t row = first_row_ + Row() + 8 * r;
      const bool inside = row < p_.rows;
      const RowShares shares = SharesOf(p_, row, head, inside, top_[r], sum);
      if (inside && Lane() % 4 == 0) p_.lse[row * p_.heads + head] = shares.lse;
      StoreRow(head, row, inside, r, shares.mine, shares.old);
    }
  }

  // The four lanes of a row exchange pairs, so that each stores 16 bytes of every 64.
  __device__ void StoreRow(int32_t head, int64_t row, bool inside, int r, float share,
                           float old_share) {
    const int t = Lane() % 4;
    __nv_bfloat16* to = p_.out + row * p_.out_row_stride + head * p_.out_head_stride;
#pragma unroll
    for (int j = 0; j < C::kHeadSize / 32; ++j) {
      uint32_t pairs[4];
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const int i = (j * 4 + n) * 4 + 2 * r;
        float low = out_[i] * share, high = out_[i + 1] * share;
        if (old_share > 0.0f && inside) {
          const auto* old = reinterpret_cast<const __nv_bfloat162*>(to + (j * 4 + n) * 8 + 2 * t);
          const float2 values = __bfloat1622float2(*old);
          low += old_share * values.x;
          high += old_share * values.y;
        }
        pairs[n] = PackBf16(low, high);
      }
      // A transposition of 4 x 4: first within pairs of lanes, then between them.
#pragma unroll
      for (int n = 0; n < 4; n += 2) {
        const uint32_t away = t % 2 == 0 ? pairs[n + 1] : pairs[n];
        const uint32_t back = __shfl_xor_sync(0xffffffffu, away, 1);
        if (t % 2 == 0) {
          pairs[n + 1] = back;
        } else {
          pairs[n] = back;
        }
      }
#pragma unroll
      for (int n = 0; n < 2; ++n) {
        const uint32_t away = t < 2 ? pairs[n + 2] : pairs[n];
        const uint32_t back = __shfl_xor_sync(0xffffffffu, away, 2);
        if (t < 2) {
          pairs[n + 2] = back;
        } else {
          pairs[n] = back;
        }
      }
      if (inside) {
        *reinterpret_cast<uint4*>(to + (j * 4 + t) * 8) =
            make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
      }
    }
  }

  const Pipeline<C>& pipe_;
  const PrefillArguments& p_;
  const int group_;
  int32_t first_row_ = 0;
  KeySpan span_ = {0, 0};
  int tiles_ = 0, tile_ = 0;
  uint32_t q_parity_ = 0;
  RingPlace<C::kStages> k_place_, v_place_;
  RingPlace<kTileLists> list_place_;
  int32_t first_kind_ = -1, first_count_ = 0;
  float scores_[kScores];
  float out_[kOutputs];
  uint32_t weights_[kScores / 2];
  float top_[2], sum_[2], shrink_[2];
};

}  // namespace longsight::cuda

// Attention of very few stacked query rows (a decode step): vectors lie along the head, K and V are
// read once as they are stored, and the arithmetic stays below the time that memory takes.
#pragma once

#include "attention_merge.h"
#include "exp2.h"
#include "load.h"
#include "thread_pool.h"

namespace longsight::cpu {

template <class S>
struct AttentionDecode {
  // More stacked rows than this fill the lanes of AttentionBlock better.
  static constexpr int64_t kMaxRows = 8;
  // Keys of a tile: whole rows of K and V, so that memory is read in the order it lies, and few
  // enough that the tile prefetched meanwhile stays in L2 beside it.
  static constexpr int64_t kMaxKeys = 64;
  static constexpr int64_t kTileBytes = 64 << 10;

  static int64_t Rows(const AttentionParams& p) { return p.kv_heads * StackedRows(p); }

  static int64_t TileKeys(const AttentionParams& p) {
    const int64_t key_bytes = 2 * p.kv_heads * p.head_size * ElementBytes(p.kv.type);
    return Clamp(kTileBytes / key_bytes / 8 * 8, 8, kMaxKeys);
  }

  static int64_t ScratchFloats(const AttentionParams& p) {
    return Rows(p) * (2 * p.head_size + 2) + 4 * kMaxKeys;
  }

  // Rows are read in whole vectors, and the queries and results of all heads lie in a thread's
  // scratch.
  static bool Fits(const AttentionParams& p) {
    return StackedRows(p) <= kMaxRows && p.head_size % S::kWidth == 0 &&
           ScratchFloats(p) * sizeof(float) <= ThreadPool::kScratchBytes;
  }
};

// All heads against keys [keys.begin, keys.end) of the view. Row n = kv_head * rows_ + stacked row.
template <class S, DType Kv>
class DecodeBlock {
  using V = typename S::V;
  using D = AttentionDecode<S>;

 public:
  DecodeBlock(const AttentionParams& p, void* scratch)
      : p_(p),
        rows_(StackedRows(p)),
        tile_keys_(D::TileKeys(p)),
        q_(static_cast<float*>(scratch)),
        out_(q_ + D::Rows(p) * p.head_size),
        top_(out_ + D::Rows(p) * p.head_size),
        sum_(top_ + D::Rows(p)),
        scores_(sum_ + D::Rows(p)) {}

  // False when cancelled.
  bool Run(KeyRange keys) {
    LoadQueries();
    for (int64_t tile = keys.begin; tile < keys.end; tile += tile_keys_) {
      if (Cancelled(p_)) return false;
      const int64_t count = Min(tile_keys_, keys.end - tile);
      for (kv_head_ = 0; kv_head_ < p_.kv_heads; ++kv_head_) AttendHead(tile, count);
    }
    return true;
  }

  void StoreOut() {
    for (int64_t n = 0; n < D::Rows(p_); ++n) {
      const float lse = FinishRow(n);
      StoreRow(p_, n / rows_, n % rows_, out_ + n * p_.head_size, lse);
    }
  }

  void StorePartial(const PartialAttention& partial) {
    for (int64_t n = 0; n < D::Rows(p_); ++n) partial.lse[n] = FinishRow(n);
    std::memcpy(partial.out, out_, static_cast<size_t>(D::Rows(p_) * p_.head_size) * sizeof(float));
  }

 private:
  const void* Row(const void* base, int64_t key) const {
    return ElementAt(base, Kv, key * p_.kv.row_stride + kv_head_ * p_.kv.head_stride);
  }

  void LoadQueries() {
    const int64_t d = p_.head_size;
    for (int64_t n = 0; n < D::Rows(p_); ++n) {
      const float* from =
          p_.q + StackedOffset(p_, n / rows_, n % rows_, p_.q_row_stride, p_.q_head_stride);
      std::memcpy(q_ + n * d, from, static_cast<size_t>(d) * sizeof(float));
      top_[n] = kMinusInfinity;
      sum_[n] = 0.0f;
    }
    std::memset(out_, 0, static_cast<size_t>(D::Rows(p_) * d) * sizeof(float));
  }

  // The stacked rows of kv_head_, four at a time.
  void AttendHead(int64_t tile, int64_t count) {
    const int64_t first = kv_head_ * rows_;
    for (int64_t i = 0; i < rows_; i += 4) {
      switch (Min(4, rows_ - i)) {
        case 4:
          AttendRows<4>(first + i, tile, count);
          break;
        case 3:
          AttendRows<3>(first + i, tile, count);
          break;
        case 2:
          AttendRows<2>(first + i, tile, count);
          break;
        default:
          AttendRows<1>(first + i, tile, count);
      }
    }
  }

  // This head's part of the next tile. Its rows lie apart, which the processor's own prefetchers
  // follow badly.
  void Prefetch(int64_t key) const {
    const int64_t next = Min(key + tile_keys_, p_.kv.tokens - 1);
    for (int64_t c = 0; c < p_.head_size; c += 64 / ElementBytes(Kv)) {
      __builtin_prefetch(ElementAt(Row(p_.kv.k, next), Kv, c), 0, 2);
      __builtin_prefetch(ElementAt(Row(p_.kv.v, next), Kv, c), 0, 2);
    }
  }

  // R rows from `first` against `count` keys from `tile`.
  template <int R>
  void AttendRows(int64_t first, int64_t tile, int64_t count) {
    Score<R>(first, tile, count);
    float decay[R];
    for (int r = 0; r < R; ++r)
      decay[r] = Exponentiate(first + r, tile, count, scores_ + r * D::kMaxKeys);
    Accumulate<R>(first, tile, count, decay);
  }

  // scores_[r][key] = q row . K[key]. Several keys at a time share the loads of q.
  template <int R>
  void Score(int64_t first, int64_t tile, int64_t count) {
    constexpr int kAtOnce = R == 1 ? 4 : 2;
    int64_t key = 0;
    for (; key + kAtOnce <= count; key += kAtOnce) ScoreKeys<R, kAtOnce>(first, tile, key);
    for (; key < count; ++key) ScoreKeys<R, 1>(first, tile, key);
  }

  template <int R, int K>
  void ScoreKeys(int64_t first, int64_t tile, int64_t key) {
    const void* k[K];
    for (int i = 0; i < K; ++i) k[i] = Row(p_.kv.k, tile + key + i);
    for (int i = 0; i < K; ++i) Prefetch(tile + key + i);
    const float* q = q_ + first * p_.head_size;
    V acc[K * R];
#pragma GCC unroll 8
    for (int i = 0; i < K * R; ++i) acc[i] = S::Zero();
    for (int64_t c = 0; c < p_.head_size; c += S::kWidth) {
      V column[K];
#pragma GCC unroll 4
      for (int i = 0; i < K; ++i) column[i] = LoadVector<S, Kv>(k[i], c);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const V row = S::Load(q + r * p_.head_size + c);
#pragma GCC unroll 4
        for (int i = 0; i < K; ++i) acc[r * K + i] = S::Fma(row, column[i], acc[r * K + i]);
      }
    }
    float sums[K * R];
    constexpr int kQuads = K * R / 4 * 4;
#pragma GCC unroll 8
    for (int i = 0; i < kQuads; i += 4)
      S::ReduceAdd4(acc[i], acc[i + 1], acc[i + 2], acc[i + 3], sums + i);
#pragma GCC unroll 8
    for (int i = kQuads; i < K * R; ++i) sums[i] = S::ReduceAdd(acc[i]);
    for (int r = 0; r < R; ++r) {
      for (int n = 0; n < K; ++n) scores_[r * D::kMaxKeys + key + n] = sums[r * K + n];
    }
  }

  // Scores of one row -> weights against its new maximum, 0 where hidden; returns 2^(old maximum -
  // new maximum).
  float Exponentiate(int64_t row, int64_t tile, int64_t count, float* scores) {
    const KeyRange seen = VisibleKeys(p_, row % rows_ / GroupSize(p_));
    const int64_t padded = RoundUp(count, S::kWidth);
    for (int64_t key = 0; key < Clamp(seen.begin - tile, 0, count); ++key)
      scores[key] = kMinusInfinity;
    for (int64_t key = Clamp(seen.end - tile, 0, count); key < padded; ++key)
      scores[key] = kMinusInfinity;
    V best = S::Set1(kMinusInfinity);
    for (int64_t key = 0; key < padded; key += S::kWidth)
      best = S::Max(best, S::Load(scores + key));
    const float scale = p_.scale * 1.44269504088896341f;
    const float tile_top = S::ReduceMax(best) * scale;
    const float new_top = tile_top > top_[row] ? tile_top : top_[row];
    const float base = new_top == kMinusInfinity ? 0.0f : new_top;
    V total = S::Zero();
    for (int64_t key = 0; key < padded; key += S::kWidth) {
      const V weight =
          Exp2<S>(S::Sub(S::Mul(S::Load(scores + key), S::Set1(scale)), S::Set1(base)));
      S::Store(scores + key, weight);
      total = S::Add(total, weight);
    }
    const float decay = std::exp2(top_[row] - base);
    sum_[row] = sum_[row] * decay + S::ReduceAdd(total);
    top_[row] = new_top;
    return decay;
  }

  template <int R>
  void Accumulate(int64_t first, int64_t tile, int64_t count, const float (&decay)[R]) {
    // R x C sums: two of a cache line of V for four rows, more for fewer.
    constexpr int C = R == 1 ? 8 : R == 2 ? 4 : 2;
    int64_t c = 0;
    for (; c + C * S::kWidth <= p_.head_size; c += C * S::kWidth)
      AccumulateColumns<R, C>(first, tile, count, decay, c);
    for (; c < p_.head_size; c += S::kWidth) AccumulateColumns<R, 1>(first, tile, count, decay, c);
  }

  // out_[r][c .. c + C vectors) = that * decay + weights x V.
  template <int R, int C>
  void AccumulateColumns(int64_t first, int64_t tile, int64_t count, const float (&decay)[R],
                         int64_t c) {
    V acc[R][C];
    float* out = out_ + first * p_.head_size + c;
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int i = 0; i < C; ++i) {
        acc[r][i] = S::Mul(S::Load(out + r * p_.head_size + i * S::kWidth), S::Set1(decay[r]));
      }
    }
    const void* v = Row(p_.kv.v, tile);
    for (int64_t key = 0; key < count; ++key) {
      V row[C];
#pragma GCC unroll 8
      for (int i = 0; i < C; ++i) row[i] = LoadVector<S, Kv>(v, c + i * S::kWidth);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const V weight = S::Broadcast(scores_ + r * D::kMaxKeys + key);
#pragma GCC unroll 8
        for (int i = 0; i < C; ++i) acc[r][i] = S::Fma(weight, row[i], acc[r][i]);
      }
      v = ElementAt(v, Kv, p_.kv.row_stride);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int i = 0; i < C; ++i) S::Store(out + r * p_.head_size + i * S::kWidth, acc[r][i]);
    }
  }

  // Normalises out_ of the row; returns its lse. Zero and -inf when it saw no key.
  float FinishRow(int64_t row) {
    const float sum = sum_[row];
    const float inverse = sum == 0.0f ? 0.0f : 1.0f / sum;
    float* out = out_ + row * p_.head_size;
    for (int64_t c = 0; c < p_.head_size; ++c) out[c] *= inverse;
    if (sum == 0.0f) return kMinusInfinity;
    return (top_[row] + std::log2(sum)) * 0.693147180559945309f;
  }

  const AttentionParams& p_;
  const int64_t rows_, tile_keys_;
  float* const q_;       // [kv_heads][rows][head_size]
  float* const out_;     // [kv_heads][rows][head_size]
  float* const top_;     // [kv_heads][rows]
  float* const sum_;     // [kv_heads][rows]
  float* const scores_;  // [4][kMaxKeys]
  int64_t kv_head_ = 0;  // in progress
};

}  // namespace longsight::cpu

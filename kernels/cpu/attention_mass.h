// AttentionMass of kernels.h: scores of one query row against K, which is read once and in order. A
// task takes consecutive spans; a key's row serves all heads while it is in the cache.
#pragma once

#include <cmath>

#include "exp2.h"
#include "load.h"
#include "thread_pool.h"
#include "tiling.h"

namespace longsight::cpu {

// Keys whose scores are held at a time, and whose K rows stay in L2 for the heads that share them.
inline constexpr int64_t kMassTileKeys = 64;
// Keys of a task, about: enough to hide the claim, few enough to even out the end.
inline constexpr int64_t kMassTaskKeys = 2048;

// scores[r][k] = q row r . key k, for R query heads of one KV head and K keys, which share their
// loads.
template <class S, DType Kv, int R, int K>
static inline void MassScores(const float* q, int64_t q_stride, const void* const (&key)[K],
                              int64_t n, float* scores) {
  using V = typename S::V;
  V acc[R * K];
#pragma GCC unroll 8
  for (int i = 0; i < R * K; ++i) acc[i] = S::Zero();
  int64_t c = 0;
  for (; c + S::kWidth <= n; c += S::kWidth) {
    V column[K];
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k) column[k] = LoadVector<S, Kv>(key[k], c);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const V row = S::Load(q + r * q_stride + c);
#pragma GCC unroll 4
      for (int k = 0; k < K; ++k) acc[r * K + k] = S::Fma(row, column[k], acc[r * K + k]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int k = 0; k < K; ++k) {
      float dot = S::ReduceAdd(acc[r * K + k]);
      for (int64_t i = c; i < n; ++i) dot += q[r * q_stride + i] * LoadScalar<Kv>(key[k], i);
      scores[r * kMassTileKeys + k] = dot;
    }
  }
}

// mass[head * spans] += the sum of 2^(score - lse) of `count` keys of one view, for R heads of one
// KV head from `head` on.
template <class S, DType Kv, int R>
static inline void MassOfHeads(const AttentionMassParams& p, const KvView& view, int64_t first,
                               int64_t count, int64_t head, float* mass) {
  constexpr float kLog2E = 1.44269504088896341f;
  constexpr int kAtOnce = R == 1 ? 4 : 2;
  alignas(64) float scores[R * kMassTileKeys];
  const float* q = p.q + head * p.q_head_stride;
  const int64_t kv_head = head / (p.heads / p.kv_heads);
  const auto row_of = [&](int64_t key) {
    return ElementAt(view.k, Kv, (first + key) * view.row_stride + kv_head * view.head_stride);
  };
  int64_t key = 0;
  for (; key + kAtOnce <= count; key += kAtOnce) {
    const void* rows[kAtOnce];
    for (int k = 0; k < kAtOnce; ++k) rows[k] = row_of(key + k);
    MassScores<S, Kv, R, kAtOnce>(q, p.q_head_stride, rows, p.head_size, scores + key);
  }
  for (; key < count; ++key) {
    const void* const rows[1] = {row_of(key)};
    MassScores<S, Kv, R, 1>(q, p.q_head_stride, rows, p.head_size, scores + key);
  }
  // Keys that fill up the last vector: 2^-inf is nothing.
  const int64_t padded = RoundUp(count, S::kWidth);
  const typename S::V scale = S::Set1(p.scale * kLog2E);
  for (int r = 0; r < R; ++r) {
    float* row = scores + r * kMassTileKeys;
    for (int64_t k = count; k < padded; ++k) row[k] = -INFINITY;
    const typename S::V base = S::Set1(p.lse[head + r] * kLog2E);
    typename S::V sum = S::Zero();
    for (int64_t k = 0; k < padded; k += S::kWidth) {
      sum = S::Add(sum, Exp2<S>(S::Sub(S::Mul(S::Load(row + k), scale), base)));
    }
    mass[(head + r) * p.spans] += S::ReduceAdd(sum);
  }
}

// The query heads of each KV head, up to four at a time.
template <class S, DType Kv>
static inline void MassOfTile(const AttentionMassParams& p, const KvView& view, int64_t first,
                              int64_t count, float* mass) {
  const int64_t group = p.heads / p.kv_heads;
  for (int64_t kv_head = 0; kv_head < p.kv_heads; ++kv_head) {
    const int64_t end = (kv_head + 1) * group;
    for (int64_t head = kv_head * group; head < end; head += 4) {
      switch (Min(4, end - head)) {
        case 4:
          MassOfHeads<S, Kv, 4>(p, view, first, count, head, mass);
          break;
        case 3:
          MassOfHeads<S, Kv, 3>(p, view, first, count, head, mass);
          break;
        case 2:
          MassOfHeads<S, Kv, 2>(p, view, first, count, head, mass);
          break;
        default:
          MassOfHeads<S, Kv, 1>(p, view, first, count, head, mass);
      }
    }
  }
}

template <class S, DType Kv>
static inline void MassOfSpan(const AttentionMassParams& p, int64_t span) {
  const int64_t begin = span == 0 ? 0 : p.ends[span - 1], end = p.ends[span];
  int64_t view = 0;
  for (int64_t at = begin; at < end;) {
    while (at >= p.kv.views[view].first_position + p.kv.views[view].tokens) ++view;
    const KvView& from = p.kv.views[view];
    const int64_t first = at - from.first_position;
    const int64_t count = Min(kMassTileKeys, Min(end - at, from.tokens - first));
    MassOfTile<S, Kv>(p, from, first, count, p.mass + span);
    at += count;
  }
}

template <class S, DType Kv>
static inline void AttentionMassOf(ThreadPool& pool, const AttentionMassParams& p) {
  const int64_t keys = p.spans == 0 ? 0 : p.ends[p.spans - 1];
  const int64_t tasks = Min(p.spans, CeilDiv(keys, kMassTaskKeys));
  pool.ParallelFor(tasks, [&](int64_t task, int) {
    if (p.cancel != nullptr && p.cancel->load(std::memory_order_relaxed)) return;
    const int64_t end = (task + 1) * p.spans / tasks;
    for (int64_t span = task * p.spans / tasks; span < end; ++span) MassOfSpan<S, Kv>(p, span);
  });
}

template <class S>
void AttentionMassFor(ThreadPool& pool, const AttentionMassParams& p) {
  if (p.kv.count == 0) return;
  if (p.kv.views[0].type == DType::kBF16) return AttentionMassOf<S, DType::kBF16>(pool, p);
  AttentionMassOf<S, DType::kF32>(pool, p);
}

}  // namespace longsight::cpu

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

template <class S, DType Kv>
static inline float MassDot(const float* q, const void* key, int64_t n) {
  typename S::V sum = S::Zero();
  int64_t i = 0;
  for (; i + S::kWidth <= n; i += S::kWidth) {
    sum = S::Fma(S::Load(q + i), LoadVector<S, Kv>(key, i), sum);
  }
  float dot = S::ReduceAdd(sum);
  for (; i < n; ++i) dot += q[i] * LoadScalar<Kv>(key, i);
  return dot;
}

// sums[i] = q . key[i]. Four sums at a time, or each addition would wait for the one before it.
template <class S, DType Kv>
static inline void MassDot4(const float* q, const void* const (&key)[4], int64_t n, float* sums) {
  typename S::V a = S::Zero(), b = S::Zero(), c = S::Zero(), d = S::Zero();
  int64_t i = 0;
  for (; i + S::kWidth <= n; i += S::kWidth) {
    const typename S::V row = S::Load(q + i);
    a = S::Fma(row, LoadVector<S, Kv>(key[0], i), a);
    b = S::Fma(row, LoadVector<S, Kv>(key[1], i), b);
    c = S::Fma(row, LoadVector<S, Kv>(key[2], i), c);
    d = S::Fma(row, LoadVector<S, Kv>(key[3], i), d);
  }
  S::ReduceAdd4(a, b, c, d, sums);
  for (; i < n; ++i) {
    for (int j = 0; j < 4; ++j) sums[j] += q[i] * LoadScalar<Kv>(key[j], i);
  }
}

// The sum of 2^(score - lse) of `count` keys of one view for one query head.
template <class S, DType Kv>
static inline float MassOfTile(const AttentionMassParams& p, const KvView& view, int64_t first,
                               int64_t count, int64_t head) {
  constexpr float kLog2E = 1.44269504088896341f;
  alignas(64) float scores[kMassTileKeys];
  const float* q = p.q + head * p.q_head_stride;
  const int64_t kv_head = head / (p.heads / p.kv_heads);
  const auto row_of = [&](int64_t key) {
    return ElementAt(view.k, Kv, (first + key) * view.row_stride + kv_head * view.head_stride);
  };
  int64_t scored = 0;
  for (; scored + 4 <= count; scored += 4) {
    const void* const rows[4] = {row_of(scored), row_of(scored + 1), row_of(scored + 2),
                                 row_of(scored + 3)};
    MassDot4<S, Kv>(q, rows, p.head_size, scores + scored);
  }
  for (; scored < count; ++scored) {
    scores[scored] = MassDot<S, Kv>(q, row_of(scored), p.head_size);
  }
  // Keys that fill up the last vector: 2^-inf is nothing.
  const int64_t padded = RoundUp(count, S::kWidth);
  for (int64_t key = count; key < padded; ++key) scores[key] = -INFINITY;
  const typename S::V scale = S::Set1(p.scale * kLog2E), base = S::Set1(p.lse[head] * kLog2E);
  typename S::V sum = S::Zero();
  for (int64_t key = 0; key < padded; key += S::kWidth) {
    sum = S::Add(sum, Exp2<S>(S::Sub(S::Mul(S::Load(scores + key), scale), base)));
  }
  return S::ReduceAdd(sum);
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
    for (int64_t head = 0; head < p.heads; ++head) {
      p.mass[head * p.spans + span] += MassOfTile<S, Kv>(p, from, first, count, head);
    }
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

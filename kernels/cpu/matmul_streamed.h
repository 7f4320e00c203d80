// The bandwidth-bound matrix product: a few rows of x against weights that are read once, in the
// order they lie.
#pragma once

#include "kernels.h"
#include "load.h"
#include "thread_pool.h"
#include "tiling.h"

namespace longsight::cpu {

inline constexpr int64_t kMostStreamedRows = 8;

// sums[o][r] = x row r . w row o, for R rows of x and O neighbouring rows of W.
template <class S, DType T, int R, int O>
inline void StreamedDots(const MatmulParams& p, int64_t row, int64_t out, float (&sums)[O][R]) {
  using V = typename S::V;
  const void* w[O];
#pragma GCC unroll 4
  for (int o = 0; o < O; ++o) w[o] = ElementAt(p.w, T, (out + o) * p.in);
  const float* x = p.x + row * p.x_stride;
  // Two vectors at a time with their own sums, so that even 1 x 4 covers the latency of the
  // additions.
  constexpr int kUnroll = R * O <= 4 ? 2 : 1;
  V acc[kUnroll][O][R];
#pragma GCC unroll 2
  for (int u = 0; u < kUnroll; ++u) {
#pragma GCC unroll 4
    for (int o = 0; o < O; ++o) {
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) acc[u][o][r] = S::Zero();
    }
  }
  int64_t k = 0;
  for (; k + kUnroll * S::kWidth <= p.in; k += kUnroll * S::kWidth) {
#pragma GCC unroll 2
    for (int u = 0; u < kUnroll; ++u) {
      const int64_t at = k + u * S::kWidth;
      V xv[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) xv[r] = S::Load(x + r * p.x_stride + at);
#pragma GCC unroll 4
      for (int o = 0; o < O; ++o) {
        const V wv = LoadVector<S, T>(w[o], at);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) acc[u][o][r] = S::Fma(wv, xv[r], acc[u][o][r]);
      }
    }
  }
#pragma GCC unroll 4
  for (int o = 0; o < O; ++o) {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      V total = acc[0][o][r];
      if constexpr (kUnroll == 2) total = S::Add(total, acc[1][o][r]);
      sums[o][r] = S::ReduceAdd(total);
      for (int64_t i = k; i < p.in; ++i)
        sums[o][r] += LoadScalar<T>(w[o], i) * x[r * p.x_stride + i];
    }
  }
}

template <class S, DType T, int R, int O>
inline void StreamedTile(const MatmulParams& p, int64_t row, int64_t out) {
  float sums[O][R];
  StreamedDots<S, T, R, O>(p, row, out, sums);
  for (int o = 0; o < O; ++o) {
    for (int r = 0; r < R; ++r) {
      float* y = p.y + (row + r) * p.y_stride + out + o;
      *y = sums[o][r] + (p.bias != nullptr ? p.bias[out + o] : 0.0f) + (p.add ? *y : 0.0f);
    }
  }
}

// All rows of x against W rows [begin, end); R rows of x at a time.
template <class S, DType T, int R>
inline void StreamedRows(const MatmulParams& p, int64_t row, int64_t begin, int64_t end) {
  // R x O sums, O inputs and R inputs in 16 registers.
  constexpr int O = R <= 2 ? 4 : R == 3 ? 3 : 2;
  int64_t out = begin;
  for (; out + O <= end; out += O) StreamedTile<S, T, R, O>(p, row, out);
  for (; out < end; ++out) StreamedTile<S, T, R, 1>(p, row, out);
}

template <class S, DType T>
inline void MatmulStreamed(ThreadPool& pool, const MatmulParams& p) {
  // Tasks of about 64 KiB of weights: large enough for the prefetchers, small enough to balance;
  // the second group of rows then finds its weights in L2.
  constexpr int64_t kTaskBytes = 64 << 10;
  const int64_t task_outs =
      Max(4, Min(kTaskBytes / Max(1, p.in * ElementBytes(T)), CeilDiv(p.out, pool.threads())));
  pool.ParallelFor(CeilDiv(p.out, task_outs), [&](int64_t task, int) {
    const int64_t begin = task * task_outs;
    const int64_t end = Min(p.out, begin + task_outs);
    int64_t row = 0;
    for (; p.rows - row >= 4; row += 4) StreamedRows<S, T, 4>(p, row, begin, end);
    if (p.rows - row == 3) StreamedRows<S, T, 3>(p, row, begin, end);
    if (p.rows - row == 2) StreamedRows<S, T, 2>(p, row, begin, end);
    if (p.rows - row == 1) StreamedRows<S, T, 1>(p, row, begin, end);
  });
}

}  // namespace longsight::cpu

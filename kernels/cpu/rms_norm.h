// RmsNorm of kernels.h (Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019). Bound by
// memory.
#pragma once

#include <cmath>

#include "kernels.h"
#include "thread_pool.h"
#include "tiling.h"

namespace longsight::cpu {

// The squares are summed in fp64: at n = 16384 fp32 sums would already cost a digit.
static inline double SumOfSquares(const float* x, int64_t n) {
  constexpr int64_t kLanes = 16;
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l)
      sums[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
  }
  for (; i < n; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

template <class S>
void RmsNormFor(ThreadPool& pool, const RmsNormParams& p) {
  const int64_t task_rows = Max(1, int64_t{16384} / Max(1, p.n));
  pool.ParallelFor(CeilDiv(p.rows, task_rows), [&](int64_t task, int) {
    for (int64_t r = task * task_rows; r < Min(p.rows, (task + 1) * task_rows); ++r) {
      const float* x = p.x + r * p.x_stride;
      float* y = p.y + r * p.y_stride;
      const double mean = SumOfSquares(x, p.n) / static_cast<double>(p.n);
      const float inverse = static_cast<float>(1.0 / std::sqrt(mean + static_cast<double>(p.eps)));
      const typename S::V factor = S::Set1(inverse);
      int64_t i = 0;
      for (; i + S::kWidth <= p.n; i += S::kWidth) {
        S::Store(y + i, S::Mul(S::Mul(S::Load(x + i), factor), S::Load(p.weight + i)));
      }
      for (; i < p.n; ++i) y[i] = x[i] * inverse * p.weight[i];
    }
  });
}

}  // namespace longsight::cpu

// SwiGlu of kernels.h (Shazeer, "GLU Variants Improve Transformer", arXiv 2002.05202). Bound by
// memory.
#pragma once

#include <cmath>

#include "exp2.h"
#include "kernels.h"
#include "thread_pool.h"
#include "tiling.h"

namespace longsight::cpu {

template <class S>
inline void SwiGluRow(const float* gate, const float* up, float* y, int64_t n) {
  using V = typename S::V;
  const V minus_log2e = S::Set1(-1.44269504088896341f);
  const V one = S::Set1(1.0f);
  int64_t i = 0;
  for (; i + S::kWidth <= n; i += S::kWidth) {
    const V g = S::Load(gate + i);
    const V denominator = S::Add(one, Exp2<S>(S::Mul(g, minus_log2e)));
    S::Store(y + i, S::Mul(S::Div(g, denominator), S::Load(up + i)));
  }
  for (; i < n; ++i) y[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

template <class S>
void SwiGluFor(ThreadPool& pool, const SwiGluParams& p) {
  const int64_t task_rows = Max(1, int64_t{16384} / Max(1, p.n));
  pool.ParallelFor(CeilDiv(p.rows, task_rows), [&](int64_t task, int) {
    for (int64_t r = task * task_rows; r < Min(p.rows, (task + 1) * task_rows); ++r) {
      SwiGluRow<S>(p.gate + r * p.gate_stride, p.up + r * p.up_stride, p.y + r * p.y_stride, p.n);
    }
  });
}

}  // namespace longsight::cpu

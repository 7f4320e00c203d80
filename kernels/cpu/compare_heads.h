// CompareHeads of kernels.h. A task is a head, so that its sums do not depend on the threads. Bound
// by memory.
#pragma once

#include "kernels.h"
#include "thread_pool.h"

namespace longsight::cpu {

// Added to the squares of expected[n] and of actual[n] - expected[n], in lanes that do not wait for
// each other.
inline constexpr int64_t kCompareLanes = 16;
struct CompareSums {
  double expected[kCompareLanes];
  double missed[kCompareLanes];
};

static inline void AddSquares(const float* expected, const float* actual, int64_t n,
                              CompareSums& sums) {
  const auto add = [&](int64_t i, int64_t lane) {
    const auto whole = static_cast<double>(expected[i]);
    const double missed = static_cast<double>(actual[i]) - whole;
    sums.expected[lane] += whole * whole;
    sums.missed[lane] += missed * missed;
  };
  int64_t i = 0;
  for (; i + kCompareLanes <= n; i += kCompareLanes) {
    for (int64_t lane = 0; lane < kCompareLanes; ++lane) add(i + lane, lane);
  }
  for (int64_t lane = 0; i < n; ++i, ++lane) add(i, lane);
}

template <class S>
void CompareHeadsFor(ThreadPool& pool, const CompareHeadsParams& p) {
  pool.ParallelFor(p.heads, [&](int64_t head, int) {
    CompareSums sums{};
    for (int64_t row = 0; row < p.rows; ++row) {
      const int64_t at = head * p.head_size;
      AddSquares(p.expected + row * p.expected_stride + at, p.actual + row * p.actual_stride + at,
                 p.head_size, sums);
    }
    double expected = 0, missed = 0;
    for (const double sum : sums.expected) expected += sum;
    for (const double sum : sums.missed) missed += sum;
    p.sums[2 * head] = expected;
    p.sums[2 * head + 1] = missed;
  });
}

}  // namespace longsight::cpu

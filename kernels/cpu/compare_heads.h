// CompareHeads of kernels.h. A task is a part of the rows, with all heads in the order in which
// they lie; parts do not depend on the threads, and are added up in their order. Bound by memory.
#pragma once

#include "kernels.h"
#include "thread_pool.h"
#include "tiling.h"

namespace longsight::cpu {

// Sums of parts lie in the pool's shared scratch: up to 2,048 heads.
inline constexpr int64_t kCompareParts = 32;
inline constexpr int64_t kCompareLanes = 8;

// expected[kCompareLanes] += the squares of e[n], and missed likewise of a - e. Summed in local
// arrays first: GCC would keep the callers' in memory.
static inline void AddSquares(const float* e, const float* a, int64_t n, double* expected,
                              double* missed) {
  double of_e[kCompareLanes] = {}, of_difference[kCompareLanes] = {};
  int64_t i = 0;
  for (; i + kCompareLanes <= n; i += kCompareLanes) {
    for (int64_t l = 0; l < kCompareLanes; ++l) {
      const auto whole = static_cast<double>(e[i + l]);
      const double difference = static_cast<double>(a[i + l]) - whole;
      of_e[l] += whole * whole;
      of_difference[l] += difference * difference;
    }
  }
  for (; i < n; ++i) {
    const auto whole = static_cast<double>(e[i]);
    const double difference = static_cast<double>(a[i]) - whole;
    of_e[0] += whole * whole;
    of_difference[0] += difference * difference;
  }
  for (int64_t l = 0; l < kCompareLanes; ++l) {
    expected[l] += of_e[l];
    missed[l] += of_difference[l];
  }
}

template <class S>
void CompareHeadsFor(ThreadPool& pool, const CompareHeadsParams& p) {
  const int64_t part_rows = Max(1, CeilDiv(p.rows, kCompareParts));
  const int64_t parts = CeilDiv(p.rows, part_rows);
  auto* const of_parts = static_cast<double*>(pool.SharedScratch());  // [parts, heads, 2]
  pool.ParallelFor(parts, [&](int64_t part, int thread) {
    auto* const lanes = static_cast<double*>(pool.Scratch(thread));  // [heads, 2, kCompareLanes]
    for (int64_t i = 0; i < 2 * p.heads * kCompareLanes; ++i) lanes[i] = 0;
    for (int64_t row = part * part_rows; row < Min(p.rows, (part + 1) * part_rows); ++row) {
      const float* e = p.expected + row * p.expected_stride;
      const float* a = p.actual + row * p.actual_stride;
      for (int64_t head = 0; head < p.heads; ++head) {
        double* const of_head = lanes + head * 2 * kCompareLanes;
        const int64_t at = head * p.head_size;
        AddSquares(e + at, a + at, p.head_size, of_head, of_head + kCompareLanes);
      }
    }
    for (int64_t i = 0; i < 2 * p.heads; ++i) {
      double sum = 0;
      for (int64_t l = 0; l < kCompareLanes; ++l) sum += lanes[i * kCompareLanes + l];
      of_parts[part * 2 * p.heads + i] = sum;
    }
  });
  for (int64_t i = 0; i < 2 * p.heads; ++i) {
    p.sums[i] = 0;
    for (int64_t part = 0; part < parts; ++part) p.sums[i] += of_parts[part * 2 * p.heads + i];
  }
}

}  // namespace longsight::cpu

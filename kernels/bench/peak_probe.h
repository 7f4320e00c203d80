// The register-only loop behind a PeakProbe; compiled once per instruction set.
#pragma once

#include <cstdint>

// AVX-512 has registers that "x" does not name; Arm calls them "w".
#if defined(__AVX512F__)
#define LONGSIGHT_VECTOR_CONSTRAINT "v"
#elif defined(__x86_64__)
#define LONGSIGHT_VECTOR_CONSTRAINT "x"
#else
#define LONGSIGHT_VECTOR_CONSTRAINT "w"
#endif

namespace longsight::bench {

// 12 independent sums of Step on vectors of S; returns floating-point operations done. `kPerLane`
// is operations per 32-bit lane: 2 for an fp32 multiply-add, 4 for a pair of bf16.
template <class S, class Dot, int kPerLane>
double ProbePeak(int64_t steps) {
  constexpr int kSums = 12;
  typename S::V sums[kSums];
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums[i] = S::Set1(static_cast<float>(i) * 1e-3f);
  typename S::V a = S::Set1(0.999f);
  typename S::V b = S::Set1(1e-3f);
  // Hides the values, so that the compiler cannot turn the multiply-add into an addition.
  asm volatile("" : "+" LONGSIGHT_VECTOR_CONSTRAINT(a), "+" LONGSIGHT_VECTOR_CONSTRAINT(b));
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) {
      sums[i] = Dot::Step(a, b, sums[i]);
      // Keeps every round: nothing may be folded or moved out.
      asm volatile("" : "+" LONGSIGHT_VECTOR_CONSTRAINT(sums[i]));
    }
  }
  typename S::V total = S::Zero();
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) total = S::Add(total, sums[i]);
  volatile float keep = S::ReduceAdd(total);
  static_cast<void>(keep);
  return static_cast<double>(steps) * kSums * S::kWidth * kPerLane;
}

}  // namespace longsight::bench

// AVX-512 with the bf16 dot product. A type of its own, so that its instances never stand in for
// plain AVX-512's.
#pragma once

#include "simd_avx512.h"

namespace longsight::cpu {

struct Avx512Bf16 : Avx512 {
  static V DotPairs(V a, V b, V sum) {
    return _mm512_dpbf16_ps(sum, __builtin_bit_cast(__m512bh, a), __builtin_bit_cast(__m512bh, b));
  }
};

// sum += a.low * b.low + a.high * b.high over pairs of bf16; the sums are fp32, rounded to nearest
// even, and subnormal inputs count as zero (Intel Architecture Instruction Set Extensions,
// VDPBF16PS).
struct Bf16PairDot {
  static constexpr int kValuesPerUnit = 2;
  static Avx512Bf16::V Step(Avx512Bf16::V a, Avx512Bf16::V b, Avx512Bf16::V sum) {
    return Avx512Bf16::DotPairs(a, b, sum);
  }
};

}  // namespace longsight::cpu

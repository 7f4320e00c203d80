// AVX-512 with the bf16 dot product. A type of its own, so that its instances never stand in for
// plain AVX-512's.
#pragma once

#include "simd_avx512.h"

namespace longsight::cpu {

struct Avx512Bf16 : Avx512 {
  static V DotPairs(V a, V b, V sum) {
    return _mm512_dpbf16_ps(sum, __builtin_bit_cast(__m512bh, a), __builtin_bit_cast(__m512bh, b));
  }
  // Lane i: the pair (low[i], high[i]).
  static V Interleave(const uint16_t* low, const uint16_t* high) {
    const __m512i shifted = _mm512_slli_epi32(_mm512_cvtepu16_epi32(Load256(high)), 16);
    return _mm512_castsi512_ps(_mm512_or_si512(_mm512_cvtepu16_epi32(Load256(low)), shifted));
  }
  // Lane i: the pair (low[i], 0).
  static V PairWithZero(const uint16_t* low) {
    return _mm512_castsi512_ps(_mm512_cvtepu16_epi32(Load256(low)));
  }
  // Lane i: the pair (low[i], high[i]), rounded to nearest, ties away from zero. Not for NaN.
  static V RoundToPairs(V low, V high) {
    const __m512i half = _mm512_set1_epi32(0x8000);
    const __m512i low_bits =
        _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(low), half), 16);
    const __m512i high_bits = _mm512_add_epi32(_mm512_castps_si512(high), half);
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    return _mm512_castsi512_ps(_mm512_or_si512(low_bits, _mm512_and_si512(high_bits, upper)));
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

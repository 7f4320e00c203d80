// AVX-512 (F, BW, DQ, VL): vectors of 16 floats, 32 registers. LONGSIGHT_SIMDE names a header that
// emulates the intrinsics, so that a machine without AVX-512 can test this file's users
// (correctness only).
#pragma once

#if defined(LONGSIGHT_SIMDE)
#include LONGSIGHT_SIMDE
#else
#include <immintrin.h>
#endif

#include <cstdint>

namespace longsight::cpu {

struct Avx512 {
  using V = __m512;
  static constexpr int kWidth = 16;
  // Register tiles: (rows broadcast) x (vectors); 24 sums of 32 registers.
  static constexpr int kMatmulRows = 12, kMatmulVectors = 2;
  static constexpr int kAttentionRows = 8, kAttentionVectors = 3;
  // Vectors that 64 probe rows fill without a rest.
  static constexpr int kProbeRows = 4, kProbeVectors = 4;

  static V Zero() { return _mm512_setzero_ps(); }
  static V Set1(float x) { return _mm512_set1_ps(x); }
  static V Broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static V Load(const float* p) { return _mm512_loadu_ps(p); }
  // Holds v in a register: GCC would rather load it again for each of its uses, and the loads would
  // then be the limit.
#if defined(LONGSIGHT_SIMDE)
  static void KeepInRegister(V&) {}
#else
  static void KeepInRegister(V& v) { asm("" : "+v"(v)); }
#endif
  static void Store(float* p, V v) { _mm512_storeu_ps(p, v); }
  static V Add(V a, V b) { return _mm512_add_ps(a, b); }
  static V Sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static V Mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static V Div(V a, V b) { return _mm512_div_ps(a, b); }
  static V Fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static V Max(V a, V b) { return _mm512_max_ps(a, b); }
  static V Min(V a, V b) { return _mm512_min_ps(a, b); }
  // a <= b ? yes : no, lane by lane.
  static V WhereLe(V a, V b, V yes, V no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LE_OQ), no, yes);
  }
  // The low bits of each lane moved into the exponent field.
  static V ShiftToExponent(V v) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(v), 23));
  }

  static __m256 Low(V v) { return _mm512_castps512_ps256(v); }
  static __m256 High(V v) {
    return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
  }

  static float ReduceAdd(V v) {
    const __m256 half = _mm256_add_ps(Low(v), High(v));
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
  }
  static float ReduceMax(V v) {
    const __m256 half = _mm256_max_ps(Low(v), High(v));
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
  }
  // sums[i] = the sum of the lanes of a, b, c, d.
  static void ReduceAdd4(V a, V b, V c, V d, float* sums) {
    const __m256 ab =
        _mm256_hadd_ps(_mm256_add_ps(Low(a), High(a)), _mm256_add_ps(Low(b), High(b)));
    const __m256 cd =
        _mm256_hadd_ps(_mm256_add_ps(Low(c), High(c)), _mm256_add_ps(Low(d), High(d)));
    const __m256 quads = _mm256_hadd_ps(ab, cd);
    _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(quads), _mm256_extractf128_ps(quads, 1)));
  }

  static __m256i Load256(const uint16_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static V LoadBf16(const uint16_t* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(Load256(p)), 16));
  }
  static V LoadF16(const uint16_t* p) { return _mm512_cvtph_ps(Load256(p)); }
  static void StoreBf16(uint16_t* p, V v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    const __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i high = _mm512_srli_epi32(_mm512_mask_blend_epi32(is_nan, rounded, quiet), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(high));
  }
  static void StoreF16(uint16_t* p, V v) {
    // Two halves: SIMDe 0.7.4 has no 512-bit form, and this path is bound by memory anyway.
    const __m128i low = _mm256_cvtps_ph(Low(v), _MM_FROUND_TO_NEAREST_INT);
    const __m128i high = _mm256_cvtps_ph(High(v), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), low);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p) + 1, high);
  }

  // 4 x 4 blocks of 4 floats: first inside the 128-bit lanes, then the lanes themselves.
  static void Transpose(V (&r)[kWidth]) {
    V q[16];
    for (int i = 0; i < 4; ++i) {
      const V ab_low = _mm512_unpacklo_ps(r[4 * i], r[4 * i + 1]);
      const V ab_high = _mm512_unpackhi_ps(r[4 * i], r[4 * i + 1]);
      const V cd_low = _mm512_unpacklo_ps(r[4 * i + 2], r[4 * i + 3]);
      const V cd_high = _mm512_unpackhi_ps(r[4 * i + 2], r[4 * i + 3]);
      q[4 * i] = _mm512_shuffle_ps(ab_low, cd_low, 0x44);
      q[4 * i + 1] = _mm512_shuffle_ps(ab_low, cd_low, 0xee);
      q[4 * i + 2] = _mm512_shuffle_ps(ab_high, cd_high, 0x44);
      q[4 * i + 3] = _mm512_shuffle_ps(ab_high, cd_high, 0xee);
    }
    // q[4 * i + j] holds, in lane L, column 4 * L + j of rows 4 * i .. 4 * i + 3.
    for (int j = 0; j < 4; ++j) {
      const V low_01 = _mm512_shuffle_f32x4(q[j], q[4 + j], 0x44);
      const V high_01 = _mm512_shuffle_f32x4(q[j], q[4 + j], 0xee);
      const V low_23 = _mm512_shuffle_f32x4(q[8 + j], q[12 + j], 0x44);
      const V high_23 = _mm512_shuffle_f32x4(q[8 + j], q[12 + j], 0xee);
      r[j] = _mm512_shuffle_f32x4(low_01, low_23, 0x88);
      r[4 + j] = _mm512_shuffle_f32x4(low_01, low_23, 0xdd);
      r[8 + j] = _mm512_shuffle_f32x4(high_01, high_23, 0x88);
      r[12 + j] = _mm512_shuffle_f32x4(high_01, high_23, 0xdd);
    }
  }
};

}  // namespace longsight::cpu

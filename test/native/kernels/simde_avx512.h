// AVX-512 intrinsics by SIMDe, for kernels/cpu/simd_avx512.h on a CPU without them, and the few
// that SIMDe 0.7.4 lacks.
#pragma once

#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>

#include <cstdint>
#include <cstring>

namespace longsight::simde {

inline simde__m512 JoinHalves(simde__m256 low, simde__m256 high) {
  simde__m512 joined;
  std::memcpy(&joined, &low, sizeof low);
  std::memcpy(reinterpret_cast<char*>(&joined) + sizeof low, &high, sizeof high);
  return joined;
}

inline simde__m512i WidenUnsigned(simde__m256i v) {
  uint16_t from[16];
  uint32_t to[16];
  std::memcpy(from, &v, sizeof v);
  for (int i = 0; i < 16; ++i) to[i] = from[i];
  return simde_mm512_loadu_si512(to);
}

inline simde__m256i Truncate(simde__m512i v) {
  uint32_t from[16];
  uint16_t to[16];
  std::memcpy(from, &v, sizeof v);
  for (int i = 0; i < 16; ++i) to[i] = static_cast<uint16_t>(from[i]);
  return simde_mm256_loadu_si256(reinterpret_cast<const simde__m256i*>(to));
}

inline simde__m512 FromHalf(simde__m256i v) {
  return JoinHalves(simde_mm256_cvtph_ps(simde_mm256_castsi256_si128(v)),
                    simde_mm256_cvtph_ps(simde_mm256_extracti128_si256(v, 1)));
}

// 128-bit lanes: two of a by the low half of `choice`, two of b by the high half.
inline simde__m512 ShuffleLanes(simde__m512 a, simde__m512 b, int choice) {
  float from[2][16];
  float to[16];
  std::memcpy(from[0], &a, sizeof a);
  std::memcpy(from[1], &b, sizeof b);
  for (int lane = 0; lane < 4; ++lane) {
    std::memcpy(to + 4 * lane, from[lane / 2] + 4 * ((choice >> (2 * lane)) & 3),
                4 * sizeof(float));
  }
  return simde_mm512_loadu_ps(to);
}

}  // namespace longsight::simde

#define _mm512_cvtepu16_epi32(v) longsight::simde::WidenUnsigned(v)
#define _mm512_cvtepi32_epi16(v) longsight::simde::Truncate(v)
#define _mm512_cvtph_ps(v) longsight::simde::FromHalf(v)
#undef _mm512_shuffle_f32x4
#define _mm512_shuffle_f32x4(a, b, choice) longsight::simde::ShuffleLanes(a, b, choice)

// Numbers in e4m3, and rows of them with a scale in fp32 each: what of it is plain arithmetic, for
// host and device.
#pragma once

#include <cfloat>
#include <cstdint>
#include <cstring>

#include "index/host_device.h"

namespace longsight::cuda {

inline constexpr float kLargestE4M3 = 448.0f;

// The low two bytes of a word, each an e4m3 number, as two f16 numbers 2^8 times smaller: exponent
// and fraction move into place as they are, also those of subnormal numbers. A NaN becomes 480 /
// 2^8.
static LONGSIGHT_HD inline uint32_t ShrunkF16Pair(uint32_t word) {
  const uint32_t apart = (word & 0xFFu) << 8 | (word & 0xFF00u) << 16;
  return (apart & 0x80008000u) | (apart & 0x7F007F00u) >> 1;
}

// The scale of a row whose largest magnitude is `most`: value = e4m3 * scale. Its reciprocal is
// finite, and most times that is at most the largest e4m3 but for a rounding in fp32, which the
// conversion cuts off. A row of zeros has scale 1.
static LONGSIGHT_HD inline float ScaleOfRow(float most) {
  const float scale = most / kLargestE4M3;
  return !(most > 0) ? 1.0f : scale < FLT_MIN ? FLT_MIN : scale;
}

// The exponent e for which most / 2^e lies in [2^14, 2^15), within f16 and far from its small end;
// 2^e and 2^-e are finite. 0 for a row of zeros.
static LONGSIGHT_HD inline int RowExponent(float most) {
  uint32_t bits;
  memcpy(&bits, &most, sizeof bits);
  if (bits << 1 == 0) return 0;
  const int exponent = static_cast<int>(bits >> 23 & 255) - 127 - 14;
  return exponent < -126 ? -126 : exponent;
}

// 2^exponent, for exponents from -126 to 127.
static LONGSIGHT_HD inline float PowerOfTwo(int exponent) {
  const uint32_t bits = static_cast<uint32_t>(exponent + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

// The bytes of `rows` rows of `n` elements, and of their scales.
static LONGSIGHT_HD inline int64_t Fp8Bytes(int64_t rows, int64_t n) {
  return rows * n + rows * static_cast<int64_t>(sizeof(float));
}

// As many of `rows` rows of `row_bytes` each as fit in `bytes`; one at least.
static LONGSIGHT_HD inline int64_t RowsAtOnce(int64_t rows, int64_t row_bytes, int64_t bytes) {
  return index::Within(bytes / row_bytes, 1, rows);
}

}  // namespace longsight::cuda

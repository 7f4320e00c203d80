// bf16 and f16 values one at a time: loop tails and the portable instruction set. Round to nearest
// even; a NaN stays one.
#pragma once

#include <cstdint>
#include <cstring>

namespace longsight::cpu {

static inline float FloatFromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t BitsFromFloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float FloatFromBf16(uint16_t half) { return FloatFromBits(uint32_t{half} << 16); }

static inline uint16_t Bf16FromFloat(float value) {
  const uint32_t bits = BitsFromFloat(value);
  // Setting the quiet bit keeps a NaN whose payload lies in the dropped half from becoming
  // infinity.
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static inline float FloatFromF16(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  const uint32_t rest = half & 0x7fffu;
  if (rest >= 0x7c00u) return FloatFromBits(sign | 0x7f800000u | ((rest & 0x3ffu) << 13));
  if (rest >= 0x400u) return FloatFromBits(sign | ((rest << 13) + ((127u - 15u) << 23)));
  // Subnormal: an integer count of 2^-24, exact in fp32.
  const float magnitude = static_cast<float>(rest) * 5.9604644775390625e-8f;
  return FloatFromBits(sign | BitsFromFloat(magnitude));
}

static inline uint16_t F16FromFloat(float value) {
  const uint32_t bits = BitsFromFloat(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  }
  // 65520 is halfway between the largest f16 and the next power of two, and rounds to infinity.
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    // Below 2^-14: adding 0.5 puts the f16 subnormal count in the low mantissa bits, rounded by the
    // addition itself.
    const float shifted = FloatFromBits(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (BitsFromFloat(shifted) - BitsFromFloat(0.5f)));
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u) - ((127u - 15u) << 23);
  return static_cast<uint16_t>(sign | (rounded >> 13));
}

}  // namespace longsight::cpu

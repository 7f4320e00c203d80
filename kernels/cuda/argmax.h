// The largest of many logits as the largest of whole numbers, which threads can find in any order.
#pragma once

#include <cstdint>
#include <cstring>

#include "index/host_device.h"

namespace longsight::cuda {

// Above every other key.
inline constexpr uint64_t kNanKey = ~uint64_t{0};

// Larger for a larger logit, and among equal ones (the two zeros are) for a lower id. Above 0.
static LONGSIGHT_HD inline uint64_t ArgmaxKey(float logit, uint32_t id) {
  if (logit != logit) return kNanKey;
  const float signless_zero = logit + 0.0f;
  uint32_t bits;
  memcpy(&bits, &signless_zero, sizeof bits);
  const uint32_t order = bits >> 31 == 0 ? bits | 0x80000000u : ~bits;
  return static_cast<uint64_t>(order) << 32 | (0xFFFFFFFFu - id);
}

// The logit of a key, with zeros positive; NaN of kNanKey.
static LONGSIGHT_HD inline float ArgmaxLogit(uint64_t key) {
  const auto order = static_cast<uint32_t>(key >> 32);
  const uint32_t bits = order >> 31 == 1 ? order & 0x7FFFFFFFu : ~order;
  float logit;
  memcpy(&logit, &bits, sizeof logit);
  return logit;
}

static LONGSIGHT_HD inline uint32_t ArgmaxId(uint64_t key) {
  return 0xFFFFFFFFu - static_cast<uint32_t>(key);
}

}  // namespace longsight::cuda

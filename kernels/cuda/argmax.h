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

static LONGSIGHT_HD inline uint32_t ArgmaxId(uint64_t key) {
  return 0xFFFFFFFFu - static_cast<uint32_t>(key);
}

}  // namespace longsight::cuda

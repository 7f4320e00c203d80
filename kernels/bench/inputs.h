// Inputs of the timed cases.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace longsight::bench {

inline std::vector<float> RandomFloats(int64_t n, float spread) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-spread, spread);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = uniform(random);
  return values;
}

// bf16 bits of such values: the upper half of the fp32 bits.
inline std::vector<uint16_t> RandomBf16(int64_t n, float spread) {
  const std::vector<float> values = RandomFloats(n, spread);
  std::vector<uint16_t> halves(values.size());
  std::transform(values.begin(), values.end(), halves.begin(), [](float value) {
    return static_cast<uint16_t>(__builtin_bit_cast(uint32_t, value) >> 16);
  });
  return halves;
}

}  // namespace longsight::bench

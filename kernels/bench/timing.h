// Timing of one case: the median of several runs, with the caches emptied before each when memory is the limit.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace longsight::bench {

// Walks over more memory than any cache holds, so that the next run reads from memory.
inline void EmptyCaches() {
  static std::vector<char> filler(size_t{96} << 20, 1);
  for (size_t i = 0; i < filler.size(); i += 64) filler[i] = static_cast<char>(filler[i] + 1);
}

// Seconds of run(): the median of at least three, for about `budget` seconds in all.
template <class Run>
double MedianSeconds(double budget, bool cold, Run run) {
  using Clock = std::chrono::steady_clock;
  run();
  std::vector<double> seconds;
  double spent = 0;
  while (seconds.size() < 3 || (spent < budget && seconds.size() < 200)) {
    if (cold) EmptyCaches();
    const auto begin = Clock::now();
    run();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    spent += seconds.back();
  }
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2), seconds.end());
  return seconds[seconds.size() / 2];
}

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

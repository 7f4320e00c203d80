// Checks for the kernels' tests: comparison with an oracle, and the random inputs behind it.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace longsight::test {

inline int failures = 0;

inline void Fail(const std::string& what) {
  // One broken loop fails everywhere; the first cases tell enough.
  if (++failures <= 20) std::printf("FAILED: %s\n", what.c_str());
}

inline void Check(bool held, const std::string& what) {
  if (!held) Fail(what);
}

// Every element within absolute + relative * |expected|, infinities and NaNs in equal places.
template <class Actual>
void CheckClose(const std::vector<Actual>& actual, const std::vector<double>& expected,
                double absolute, double relative, const std::string& what) {
  Check(actual.size() == expected.size(), what + ": sizes differ");
  for (size_t i = 0; i < actual.size() && i < expected.size(); ++i) {
    const double a = static_cast<double>(actual[i]);
    const double e = expected[i];
    const bool same = std::isfinite(e) ? std::fabs(a - e) <= absolute + relative * std::fabs(e)
                                       : (std::isnan(e) ? std::isnan(a) : a == e);
    if (!same) {
      char text[160];
      std::snprintf(text, sizeof text, ": element %zu is %.9g, expected %.9g", i, a, e);
      Fail(what + text);
      return;
    }
  }
}

// LONGSIGHT_TEST_SEED repeats a run.
class Random {
 public:
  Random() {
    const char* given = std::getenv("LONGSIGHT_TEST_SEED");
    const uint32_t seed = given != nullptr ? static_cast<uint32_t>(std::strtoul(given, nullptr, 10))
                                           : std::random_device{}();
    std::printf("LONGSIGHT_TEST_SEED=%u\n", seed);
    engine_.seed(seed);
  }

  int64_t Integer(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(engine_);
  }

  std::vector<float> Floats(int64_t n, float spread) {
    std::uniform_real_distribution<float> uniform(-spread, spread);
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) value = uniform(engine_);
    return values;
  }

 private:
  std::mt19937 engine_;
};

// The exit status of a test program.
inline int Result(const char* name) {
  std::printf("%s: %s (%d failures)\n", name, failures == 0 ? "passed" : "FAILED", failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace longsight::test

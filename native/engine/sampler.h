#pragma once

#include <cstdint>
#include <span>

namespace longsight {

struct SamplingOptions {
  double temperature = 0;  // 0: greedy
  int64_t top_k = 0;       // 0: all
  double top_p = 1;        // 1: all
  uint64_t seed = 0;
};

// Error(kInternal): a logit is NaN.
[[noreturn]] void ThrowNan();

// The id of the largest logit, and of equal ones the lowest. Throws as ThrowNan does.
uint32_t Largest(std::span<const float> logits);

// Draws tokens from logits. Equal options, seed and logits give equal tokens on every platform.
class Sampler {
 public:
  // Throws Error(kInvalidArgument) that names the option and its range.
  explicit Sampler(const SamplingOptions& options);

  // Every sample is the largest logit.
  bool greedy() const { return options_.temperature == 0; }

  // Temperature, then top-k, then top-p, as transformers orders its logits processors. Among equal
  // logits the lowest id wins. Throws Error(kInternal) when a logit is NaN.
  uint32_t Sample(std::span<const float> logits);

 private:
  double NextUniform();

  SamplingOptions options_;
  uint64_t state_;
};

}  // namespace longsight

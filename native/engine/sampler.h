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

// How one token is drawn from logits: temperature, then top-k, then top-p, as transformers orders
// its logits processors. Logits are in order largest first, and equal ones lowest id first; where
// the largest is infinite, the first of that order is drawn.
struct Draw {
  double temperature = 0;  // 0: the first of that order
  int64_t top_k = 0;       // 0: all
  double top_p = 1;        // above 0, up to 1
  double uniform = 0;      // from 0, below 1: which share of what is left is passed over
};

// Error(kInternal): a logit is NaN.
[[noreturn]] void ThrowNan();

// The id that `draw` draws, on the host. Throws as ThrowNan does.
uint32_t SampleToken(std::span<const float> logits, const Draw& draw);

// The draws of one generation. Equal options and seed give equal draws on every platform.
class Sampler {
 public:
  // Throws Error(kInvalidArgument) that names the option and its range.
  explicit Sampler(const SamplingOptions& options);

  Draw Next();

 private:
  double NextUniform();

  SamplingOptions options_;
  uint64_t state_;
};

}  // namespace longsight

#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/error.h"

namespace longsight {
namespace {

uint32_t Greedy(std::span<const float> logits) {
  size_t best = 0;
  for (size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best]) best = i;
  }
  return static_cast<uint32_t>(best);
}

// The ids of the `count` largest logits, largest first.
std::vector<uint32_t> LargestFirst(std::span<const float> logits, size_t count) {
  std::vector<uint32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0u);
  std::partial_sort(ids.begin(), ids.begin() + static_cast<int64_t>(count), ids.end(),
                    [&](uint32_t a, uint32_t b) {
                      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
                    });
  ids.resize(count);
  return ids;
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options) : options_(options), state_(options.seed) {
  if (!(options.temperature >= 0 && std::isfinite(options.temperature))) {
    throw Error(ErrorCode::kInvalidArgument, "temperature must be a finite number >= 0");
  }
  if (options.top_k < 0) throw Error(ErrorCode::kInvalidArgument, "topK must be >= 0");
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    throw Error(ErrorCode::kInvalidArgument, "topP must be above 0 and at most 1");
  }
}

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014): the
// standard library's distributions differ between implementations, this does not.
double Sampler::NextUniform() {
  state_ += 0x9E3779B97F4A7C15u;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

uint32_t Sampler::Sample(std::span<const float> logits) {
  if (std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); })) {
    throw Error(ErrorCode::kInternal, "the model produced NaN instead of logits");
  }
  if (options_.temperature == 0) return Greedy(logits);
  const size_t count = options_.top_k == 0
                           ? logits.size()
                           : std::min(logits.size(), static_cast<size_t>(options_.top_k));
  const std::vector<uint32_t> ids = LargestFirst(logits, count);
  std::vector<double> weights(ids.size());
  double total = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    // Relative to the largest, so that no weight overflows.
    const double distance = static_cast<double>(logits[ids[i]]) - logits[ids[0]];
    weights[i] = std::exp(distance / options_.temperature);
    total += weights[i];
  }
  // The shortest head of the list that holds the share top_p; never empty.
  double kept = 0;
  size_t end = 0;
  do {
    kept += weights[end++];
  } while (end < weights.size() && kept < options_.top_p * total);
  double target = NextUniform() * kept;
  for (size_t i = 0; i + 1 < end; ++i) {
    if (target < weights[i]) return ids[i];
    target -= weights[i];
  }
  return ids[end - 1];
}

}  // namespace longsight

#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/error.h"

namespace longsight {
namespace {

// Larger for a smaller logit; equal for both zeros.
uint32_t DescendingKey(float logit) {
  const auto bits = std::bit_cast<uint32_t>(logit + 0.0f);
  return bits >> 31 == 0 ? ~bits & 0x7FFFFFFFu : bits;
}

// Every id, largest logit first, and of equal ones the lowest id first. By digits: comparing would
// take as long as a decoding step does.
std::vector<uint32_t> AllLargestFirst(std::span<const float> logits) {
  constexpr int kBits = 11;
  struct Entry {
    uint32_t key, id;
  };
  std::vector<Entry> entries(logits.size()), sorted(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    entries[i] = {DescendingKey(logits[i]), static_cast<uint32_t>(i)};
  }
  for (int shift = 0; shift < 32; shift += kBits) {
    const auto digit = [&](const Entry& entry) {
      return (entry.key >> shift) & ((uint32_t{1} << kBits) - 1);
    };
    std::array<size_t, (size_t{1} << kBits) + 1> begins{};
    for (const Entry& entry : entries) ++begins[digit(entry) + 1];
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    for (const Entry& entry : entries) sorted[begins[digit(entry)]++] = entry;
    entries.swap(sorted);
  }
  std::vector<uint32_t> ids(entries.size());
  std::ranges::transform(entries, ids.begin(), &Entry::id);
  return ids;
}

// The ids of the `count` largest logits, largest first.
std::vector<uint32_t> LargestFirst(std::span<const float> logits, size_t count) {
  if (count == logits.size()) return AllLargestFirst(logits);
  std::vector<uint32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0u);
  std::partial_sort(ids.begin(), ids.begin() + static_cast<int64_t>(count), ids.end(),
                    [&](uint32_t a, uint32_t b) {
                      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
                    });
  ids.resize(count);
  return ids;
}

uint32_t Largest(std::span<const float> logits) {
  size_t best = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) ThrowNan();
    if (logits[i] > logits[best]) best = i;
  }
  return static_cast<uint32_t>(best);
}

}  // namespace

void ThrowNan() { throw Error(ErrorCode::kInternal, "the model produced NaN instead of logits"); }

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

Draw Sampler::Next() {
  return {options_.temperature, options_.top_k, options_.top_p, NextUniform()};
}

uint32_t SampleToken(std::span<const float> logits, const Draw& draw) {
  if (draw.temperature == 0) return Largest(logits);
  if (std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); })) ThrowNan();
  const size_t count =
      draw.top_k == 0 ? logits.size() : std::min(logits.size(), static_cast<size_t>(draw.top_k));
  const std::vector<uint32_t> ids = LargestFirst(logits, count);
  std::vector<double> weights(ids.size());
  double total = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    // Relative to the largest, so that no weight overflows.
    const double distance = static_cast<double>(logits[ids[i]]) - logits[ids[0]];
    weights[i] = std::exp(distance / draw.temperature);
    total += weights[i];
  }
  // The shortest head of the list that holds the share top_p; never empty.
  double kept = 0;
  size_t end = 0;
  do {
    kept += weights[end++];
  } while (end < weights.size() && kept < draw.top_p * total);
  double target = draw.uniform * kept;
  for (size_t i = 0; i + 1 < end; ++i) {
    if (target < weights[i]) return ids[i];
    target -= weights[i];
  }
  return ids[end - 1];
}

}  // namespace longsight

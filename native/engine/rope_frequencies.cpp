#include "engine/rope_frequencies.h"

#include <cmath>
#include <numbers>

namespace longsight {
namespace {

void ApplyScaling(ConfigReader& scaling, const std::string& type, RopeSpec& rope) {
  if (type == "default") return;
  if (type == "llama3") {
    const Llama3Scaling llama3{
        scaling.Positive("factor"),
        scaling.Positive("low_freq_factor"),
        scaling.Positive("high_freq_factor"),
        scaling.Positive("original_max_position_embeddings"),
    };
    if (llama3.high_frequency_factor <= llama3.low_frequency_factor) {
      scaling.FailInvalid("high_freq_factor", "is not above low_freq_factor");
    }
    ApplyLlama3Scaling(llama3, rope.inverse_frequency);
    return;
  }
  scaling.FailUnsupported("rope_type",
                          "is \"" + type + "\"; \"default\" and \"llama3\" are supported");
}

// Older files say "type" where newer ones say "rope_type", and some say both.
std::string ReadType(ConfigReader& scaling) {
  const std::string older = scaling.StringOr("type", "default");
  return scaling.StringOr("rope_type", older);
}

}  // namespace

std::vector<double> RopeFrequencies(double theta, int64_t rotary) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < rotary / 2; ++i) {
    frequencies.push_back(
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotary)));
  }
  return frequencies;
}

void ApplyLlama3Scaling(const Llama3Scaling& scaling, std::vector<double>& inverse_frequency) {
  const double longest = scaling.original_context / scaling.low_frequency_factor;
  const double shortest = scaling.original_context / scaling.high_frequency_factor;
  for (double& frequency : inverse_frequency) {
    const double wavelength = 2.0 * std::numbers::pi / frequency;
    if (wavelength < shortest) continue;
    if (wavelength > longest) {
      frequency /= scaling.factor;
      continue;
    }
    const double kept = (scaling.original_context / wavelength - scaling.low_frequency_factor) /
                        (scaling.high_frequency_factor - scaling.low_frequency_factor);
    frequency = (1.0 - kept) * frequency / scaling.factor + kept * frequency;
  }
}

RopeSpec ReadRope(ConfigReader& config, int64_t head_size, double default_theta,
                  double default_rotary_share) {
  std::optional<ConfigReader> parameters = config.Nested("rope_parameters");
  std::optional<ConfigReader> scaling = config.Nested("rope_scaling");
  double theta = config.PositiveOr("rope_theta", default_theta);
  double share = config.PositiveOr("partial_rotary_factor", default_rotary_share);
  if (parameters) {
    theta = parameters->PositiveOr("rope_theta", theta);
    share = parameters->PositiveOr("partial_rotary_factor", share);
  }
  const double rotary = std::floor(static_cast<double>(head_size) * share);
  if (share > 1 || rotary < 2 || std::fmod(rotary, 2) != 0) {
    config.FailUnsupported("partial_rotary_factor", "leaves no even number of rotary elements");
  }
  RopeSpec rope;
  rope.rotary = static_cast<int64_t>(rotary);
  rope.inverse_frequency = RopeFrequencies(theta, rope.rotary);
  // transformers 5 writes only rope_parameters; when a file has both, the newer spelling is the one
  // it reads.
  std::optional<ConfigReader>& source = parameters ? parameters : scaling;
  if (source) {
    ApplyScaling(*source, ReadType(*source), rope);
    source->RefuseUnread();
  }
  return rope;
}

}  // namespace longsight

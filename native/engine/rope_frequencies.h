#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/config_reader.h"
#include "engine/decoder_spec.h"

namespace longsight {

// theta^(-2i / rotary) for i in [0, rotary / 2).
std::vector<double> RopeFrequencies(double theta, int64_t rotary);

// Llama 3.1's scaling: low frequencies are divided by `factor`, high ones kept, those between
// blended; from _compute_llama3_parameters in transformers' modeling_rope_utils.py.
struct Llama3Scaling {
  double factor;
  double low_frequency_factor;
  double high_frequency_factor;
  double original_context;
};
void ApplyLlama3Scaling(const Llama3Scaling& scaling, std::vector<double>& inverse_frequency);

// Reads the rotary embedding of a config in both of transformers' spellings: `rope_parameters`
// (5.x), or `rope_theta` with `rope_scaling` (4.x). An unknown type of scaling is
// Error(kModelUnsupported).
// `partial_rotary_factor` (in either place) is the share of a head that turns.
RopeSpec ReadRope(ConfigReader& config, int64_t head_size, double default_theta,
                  double default_rotary_share = 1.0);

}  // namespace longsight

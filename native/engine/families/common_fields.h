// What all Llama-like families share in config.json.
#pragma once

#include <functional>

#include "engine/config_reader.h"
#include "engine/decoder_spec.h"

namespace longsight {

struct CommonDefaults {
  double rope_theta;
  bool tied_embeddings;
  double rotary_share = 1.0;
};

// Sizes, norm, activation, RoPE, embeddings, and the fields without influence on the forward pass.
// All layers come out with RoPE and without a window. Throws Error on sizes that do not fit
// together.
DecoderSpec ReadCommonFields(ConfigReader& config, const CommonDefaults& defaults);

// Which layers slide, and how wide: `sliding_window` counts only while `use_sliding_window` is
// true, and `layer_types` must then say which layers it is for, unless `sliding_by_default` does.
void ReadSlidingWindows(ConfigReader& config, DecoderSpec& spec,
                        const std::function<bool(size_t layer)>& sliding_by_default);

// The same with Qwen's default: the layers from `max_window_layers` (28 when absent) on slide.
void ReadQwenWindows(ConfigReader& config, DecoderSpec& spec);

}  // namespace longsight

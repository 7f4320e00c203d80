// SmolLM3: transformers' models/smollm3. Some layers have no rotary embedding (NoPE), some slide.
#include "engine/families/common_fields.h"
#include "engine/families/families.h"

namespace longsight {
namespace {

// `no_rope_layers` says 1 for a layer WITH RoPE, and may be longer than the model; without it every
// n-th layer has none.
void ReadRopeLayers(ConfigReader& config, DecoderSpec& spec) {
  const int64_t interval = config.IntOr("no_rope_layer_interval", 1, 1 << 20, 4);
  const auto with_rope = config.IntArray("no_rope_layers", 0, 1);
  if (with_rope && with_rope->size() < spec.layers.size()) {
    config.FailInvalid("no_rope_layers", "has fewer entries than there are hidden layers");
  }
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    spec.layers[i].rope =
        with_rope ? (*with_rope)[i] == 1 : static_cast<int64_t>(i + 1) % interval != 0;
  }
}

}  // namespace

DecoderSpec ReadSmolLm3(ConfigReader& config) {
  DecoderSpec spec = ReadCommonFields(config, {.rope_theta = 2000000.0, .tied_embeddings = true});
  spec.qkv_bias = spec.output_bias = config.BoolOr("attention_bias", false);
  spec.mlp_bias = config.BoolOr("mlp_bias", false);
  ReadRopeLayers(config, spec);
  config.Ignore({"max_window_layers"});
  // Unlike in Qwen, it is the layers without RoPE that slide when the config does not list them.
  ReadSlidingWindows(config, spec, [&](size_t layer) { return !spec.layers[layer].rope; });
  return spec;
}

}  // namespace longsight

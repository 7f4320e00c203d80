#include "engine/families/common_fields.h"

#include <cmath>

#include "engine/rope_frequencies.h"

namespace longsight {
namespace {

// Bounds far above any published model, so that products of two sizes stay within 63 bits.
constexpr int64_t kMaxSize = int64_t{1} << 24;
constexpr int64_t kMaxLayers = 4096;
constexpr int64_t kMaxContext = int64_t{1} << 32;

void IgnoreHarmless(ConfigReader& config) {
  config.Ignore({
      // Training and bookkeeping.
      "attention_dropout",
      "hidden_dropout",
      "initializer_range",
      "pretraining_tp",
      "use_cache",
      "torch_dtype",
      "dtype",
      "transformers_version",
      "model_type",
      "auto_map",
      "unsloth_version",
      "unsloth_fixed",
      // Token ids: the daemon's business, or read from generation_config.json.
      "bos_token_id",
      "eos_token_id",
      "pad_token_id",
      "unk_token_id",
      // Generation defaults that older files keep here.
      "temperature",
      "top_p",
      "top_k",
      "do_sample",
      "max_length",
      "repetition_penalty",
      "output_attentions",
      "output_hidden_states",
      "return_dict",
      "torchscript",
  });
  config.RefuseTrue("rope_interleaved", "interleaved rotary pairs are not part of this family");
  if (config.Has("quantization_config")) {
    config.FailUnsupported("quantization_config",
                           "is present: quantised weights are not supported; use the bf16 model");
  }
}

}  // namespace

DecoderSpec ReadCommonFields(ConfigReader& config, const CommonDefaults& defaults) {
  IgnoreHarmless(config);
  DecoderSpec spec;
  spec.hidden = config.Int("hidden_size", 1, kMaxSize);
  spec.heads = config.Int("num_attention_heads", 1, 65536);
  spec.kv_heads = config.IntOr("num_key_value_heads", 1, 65536, spec.heads);
  if (spec.heads % spec.kv_heads != 0) {
    config.FailInvalid("num_attention_heads", "is not a multiple of num_key_value_heads");
  }
  if (!config.Has("head_dim") && spec.hidden % spec.heads != 0) {
    config.FailInvalid("hidden_size", "is not a multiple of num_attention_heads");
  }
  spec.head_size = config.IntOr("head_dim", 1, 65536, spec.hidden / spec.heads);
  if (spec.head_size % 8 != 0 || spec.head_size > 256) {
    config.FailUnsupported("head_dim", "is " + std::to_string(spec.head_size) +
                                           "; multiples of 8 up to 256 are supported");
  }
  spec.intermediate = config.Int("intermediate_size", 1, kMaxSize);
  spec.vocabulary = config.Int("vocab_size", 1, kMaxSize);
  spec.max_context = config.Int("max_position_embeddings", 1, kMaxContext);
  spec.norm_epsilon = config.PositiveOr("rms_norm_eps", 1e-6);
  spec.attention_scale = 1.0 / std::sqrt(static_cast<double>(spec.head_size));
  spec.tied_embeddings = config.BoolOr("tie_word_embeddings", defaults.tied_embeddings);
  spec.rope = ReadRope(config, spec.head_size, defaults.rope_theta, defaults.rotary_share);
  spec.layers.resize(static_cast<size_t>(config.Int("num_hidden_layers", 1, kMaxLayers)));
  const std::string activation = config.StringOr("hidden_act", "silu");
  if (activation != "silu") {
    config.FailUnsupported("hidden_act", "is \"" + activation + "\"; \"silu\" is supported");
  }
  return spec;
}

void ReadSlidingWindows(ConfigReader& config, DecoderSpec& spec,
                        const std::function<bool(size_t layer)>& sliding_by_default) {
  const bool enabled = config.BoolOr("use_sliding_window", false);
  const int64_t declared = config.IntOr("sliding_window", 1, kMaxContext, 0);
  const int64_t window = enabled ? declared : 0;
  const auto types = config.StringArray("layer_types");
  if (types && types->size() != spec.layers.size()) {
    config.FailInvalid("layer_types", "does not have one entry for each hidden layer");
  }
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    if (!types) {
      if (sliding_by_default(i)) spec.layers[i].window = window;
      continue;
    }
    const std::string& type = (*types)[i];
    if (type == "full_attention") continue;
    if (type != "sliding_attention") {
      config.FailUnsupported(
          "layer_types",
          "holds \"" + type + "\"; full_attention and sliding_attention are supported");
    }
    if (window == 0) {
      config.FailInvalid("layer_types",
                         "has sliding_attention layers, but use_sliding_window and sliding_window "
                         "do not say how wide");
    }
    spec.layers[i].window = window;
  }
}

void ReadQwenWindows(ConfigReader& config, DecoderSpec& spec) {
  const int64_t first_sliding = config.IntOr("max_window_layers", 0, kMaxLayers, 28);
  ReadSlidingWindows(config, spec,
                     [&](size_t layer) { return static_cast<int64_t>(layer) >= first_sliding; });
}

}  // namespace longsight

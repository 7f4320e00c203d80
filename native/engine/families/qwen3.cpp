// Qwen3, the dense models: transformers' models/qwen3. RMSNorm over each head of q and k, before
// RoPE.
#include "engine/families/common_fields.h"
#include "engine/families/families.h"

namespace longsight {

DecoderSpec ReadQwen3(ConfigReader& config) {
  DecoderSpec spec = ReadCommonFields(config, {.rope_theta = 10000.0, .tied_embeddings = false});
  spec.qkv_bias = spec.output_bias = config.BoolOr("attention_bias", false);
  spec.names.query_norm = "self_attn.q_norm.weight";
  spec.names.key_norm = "self_attn.k_norm.weight";
  ReadQwenWindows(config, spec);
  return spec;
}

}  // namespace longsight

// GLM-4, in the form that transformers writes (models/glm): half of each head turns, in interleaved
// pairs; gate and up are one matrix; biases on q, k and v only.
#include "engine/families/common_fields.h"
#include "engine/families/families.h"

namespace longsight {

DecoderSpec ReadGlm4(ConfigReader& config) {
  DecoderSpec spec = ReadCommonFields(
      config, {.rope_theta = 10000.0, .tied_embeddings = false, .rotary_share = 0.5});
  spec.rope.interleaved = true;
  spec.qkv_bias = config.BoolOr("attention_bias", true);
  spec.names.gate = spec.names.up = "";
  spec.names.fused_gate_up = "mlp.gate_up_proj";
  return spec;
}

}  // namespace longsight

// Llama 2, 3, 3.1 and what shares their architecture (Yi, Llama-3 Gradient): transformers'
// models/llama.
#include "engine/families/common_fields.h"
#include "engine/families/families.h"

namespace longsight {

DecoderSpec ReadLlama(ConfigReader& config) {
  DecoderSpec spec = ReadCommonFields(config, {.rope_theta = 10000.0, .tied_embeddings = false});
  // In this family the flag covers the output projection too.
  spec.qkv_bias = spec.output_bias = config.BoolOr("attention_bias", false);
  spec.mlp_bias = config.BoolOr("mlp_bias", false);
  return spec;
}

}  // namespace longsight

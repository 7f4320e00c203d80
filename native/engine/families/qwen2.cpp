// Qwen2 and Qwen2.5: transformers' models/qwen2. Biases on q, k and v only, always.
#include <algorithm>

#include "engine/families/common_fields.h"
#include "engine/families/families.h"

namespace longsight {
namespace {

// The 1M models were trained up to chunk_size tokens and need dual chunk attention (arXiv
// 2402.17463) above it, which this engine does not have: up to there it is plain attention, so the
// context ends there.
void LimitToFirstChunk(ConfigReader& config, DecoderSpec& spec) {
  std::optional<ConfigReader> chunks = config.Nested("dual_chunk_attention_config");
  if (!chunks) return;
  const int64_t chunk = chunks->Int("chunk_size", 1, int64_t{1} << 40);
  chunks->Ignore({"local_size", "original_max_position_embeddings"});
  chunks->RefuseUnread();
  spec.max_context = std::min(spec.max_context, chunk);
}

}  // namespace

DecoderSpec ReadQwen2(ConfigReader& config) {
  DecoderSpec spec = ReadCommonFields(config, {.rope_theta = 10000.0, .tied_embeddings = false});
  spec.qkv_bias = true;
  ReadQwenWindows(config, spec);
  LimitToFirstChunk(config, spec);
  return spec;
}

}  // namespace longsight

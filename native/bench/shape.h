// The shape of a random model.
#pragma once

#include <cstdint>
#include <string>

namespace longsight::bench {

struct Shape {
  int64_t layers = 6, hidden = 512, heads = 8, kv_heads = 2, head_size = 64, ffn = 1536,
          vocabulary = 16384;
};

// LAYERS,HIDDEN,HEADS,KV_HEADS,HEAD,FFN,VOCAB, or a name: llama-3-8b, qwen2.5-7b, glm-4-9b, without
// their biases. Throws std::invalid_argument.
Shape ParseShape(const std::string& text);

}  // namespace longsight::bench

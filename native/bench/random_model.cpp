#include "bench/random_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <thread>
#include <vector>

#include "engine/checked_math.h"
#include "engine/rope_frequencies.h"

namespace longsight::bench {
namespace {

constexpr int64_t kAlignment = 64;

int64_t MatrixBytes(int64_t rows, int64_t columns) {
  return RoundUp(rows * columns * 2, kAlignment);
}

int64_t WeightBytes(const Shape& s) {
  const int64_t layer = MatrixBytes(s.heads * s.head_size, s.hidden) * 2 +
                        MatrixBytes(s.kv_heads * s.head_size, s.hidden) * 2 +
                        MatrixBytes(s.ffn, s.hidden) * 3;
  return s.layers * layer + 2 * MatrixBytes(s.vocabulary, s.hidden);
}

DecoderSpec MakeSpec(const Shape& s, int64_t max_context) {
  DecoderSpec spec;
  spec.architecture = "LlamaForCausalLM";
  spec.hidden = s.hidden;
  spec.heads = s.heads;
  spec.kv_heads = s.kv_heads;
  spec.head_size = s.head_size;
  spec.intermediate = s.ffn;
  spec.vocabulary = s.vocabulary;
  spec.max_context = max_context;
  spec.norm_epsilon = 1e-6;
  spec.attention_scale = 1.0 / std::sqrt(static_cast<double>(s.head_size));
  spec.rope.rotary = s.head_size;
  spec.rope.inverse_frequency = RopeFrequencies(500000.0, s.head_size);
  spec.layers.resize(static_cast<size_t>(s.layers));
  return spec;
}

}  // namespace

// Uniform within +-1 / sqrt(columns), so that activations keep their size from layer to layer.
Tensor RandomModel::NextTensor(int64_t rows, int64_t columns) {
  auto* out = reinterpret_cast<uint16_t*>(memory_.data() + used_);
  used_ += MatrixBytes(rows, columns);
  const float scale = 1.0f / std::sqrt(static_cast<float>(columns));
  const auto fill = [=](int64_t begin, int64_t end, uint32_t state) {
    for (int64_t i = begin; i < end; ++i) {
      state = state * 1664525u + 1013904223u;  // Numerical Recipes' generator: speed, not quality
      const float unit = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
      out[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(unit * scale) >> 16);
    }
  };
  const int64_t n = rows * columns;
  const int64_t parts = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 16);
  std::vector<std::jthread> threads;
  for (int64_t part = 0; part < parts; ++part) {
    threads.emplace_back(fill, n * part / parts, n * (part + 1) / parts, ++state_ * 2654435761u);
  }
  threads.clear();  // joins
  return Tensor{"random", out, DType::kBF16, {rows, columns}};
}

RandomModel::RandomModel(const Shape& s, int64_t max_context)
    : memory_(WeightBytes(s), "random weights") {
  model_.spec = MakeSpec(s, max_context);
  model_.weights_bytes = memory_.bytes();
  const std::vector<float> ones(static_cast<size_t>(s.hidden), 1.0f);
  const int64_t query = s.heads * s.head_size, kv = s.kv_heads * s.head_size;
  model_.embedding = NextTensor(s.vocabulary, s.hidden);
  for (int64_t i = 0; i < s.layers; ++i) {
    LayerWeights layer;
    layer.attention_norm = layer.mlp_norm = ones;
    layer.query.weight = NextTensor(query, s.hidden);
    layer.key.weight = NextTensor(kv, s.hidden);
    layer.value.weight = NextTensor(kv, s.hidden);
    layer.output.weight = NextTensor(s.hidden, query);
    layer.gate.weight = NextTensor(s.ffn, s.hidden);
    layer.up.weight = NextTensor(s.ffn, s.hidden);
    layer.down.weight = NextTensor(s.hidden, s.ffn);
    model_.layers.push_back(std::move(layer));
  }
  model_.final_norm = ones;
  model_.head.weight = NextTensor(s.vocabulary, s.hidden);
}

}  // namespace longsight::bench

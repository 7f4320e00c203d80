// The decoder's oracle: a forward pass in fp64 with plain loops, no cache, no chunks, no threads.
// It shares no code with the engine or the kernels, so that a mistake in one cannot hide in the
// other.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace longsight::reference {

// Row-major values by the names of Hugging Face's state dicts.
using Weights = std::map<std::string, std::vector<double>>;

struct Llama3Scaling {
  double factor, low_frequency_factor, high_frequency_factor, original_context;
};

struct Config {
  int64_t hidden, heads, kv_heads, head_size, intermediate, vocabulary;
  double norm_epsilon;
  double rope_theta;
  std::optional<Llama3Scaling> llama3 = std::nullopt;
  bool query_key_norm = false;
  // GLM-4: the first half of a head turns, in pairs of neighbours.
  bool half_interleaved_rope = false;
  struct Layer {
    bool rope = true;
    int64_t window = 0;  // keys j of query i: i - window < j <= i; 0: all j <= i
  };
  std::vector<Layer> layers;
};

// Logits [tokens][vocabulary] of every position. Biases apply where `weights` has them; without
// lm_head.weight the embeddings are tied.
std::vector<std::vector<double>> Logits(const Config& config, const Weights& weights,
                                        const std::vector<uint32_t>& tokens);

}  // namespace longsight::reference

// What a decoder-only transformer is, in numbers: the one description that every family is mapped
// to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longsight {

// Rotary position embedding (arXiv 2104.09864), with a family's scaling already applied to the
// frequencies.
struct RopeSpec {
  // Angle per position of each rotated pair, [rotary / 2]; fp64, so that position * frequency stays
  // exact.
  std::vector<double> inverse_frequency;
  // Elements of a head that turn; the rest pass through.
  int64_t rotary = 0;
  // Pairs (2i, 2i + 1) rather than (i, i + rotary / 2).
  bool interleaved = false;
  // Factor on cos and sin.
  double magnitude = 1.0;
};

struct LayerSpec {
  bool rope = true;
  // A query at position i sees keys j with i - window < j <= i; 0: all j <= i.
  int64_t window = 0;
};

// Names of a layer's tensors, after "model.layers.N."; empty: the family has none.
struct LayerTensorNames {
  std::string attention_norm = "input_layernorm.weight";
  std::string query = "self_attn.q_proj";
  std::string key = "self_attn.k_proj";
  std::string value = "self_attn.v_proj";
  std::string output = "self_attn.o_proj";
  std::string query_norm;
  std::string key_norm;
  std::string mlp_norm = "post_attention_layernorm.weight";
  std::string gate = "mlp.gate_proj";
  std::string up = "mlp.up_proj";
  // Gate's rows and then up's in one tensor, in place of the two.
  std::string fused_gate_up;
  std::string down = "mlp.down_proj";
};

struct DecoderSpec {
  std::string architecture;
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_size = 0;
  int64_t intermediate = 0;
  int64_t vocabulary = 0;
  int64_t max_context = 0;
  double norm_epsilon = 0;
  // Factor on q.k, normally 1 / sqrt(head_size).
  double attention_scale = 0;
  bool tied_embeddings = false;
  bool qkv_bias = false;
  bool output_bias = false;
  bool mlp_bias = false;
  RopeSpec rope;
  std::vector<LayerSpec> layers;
  LayerTensorNames names;

  int64_t layer_count() const { return static_cast<int64_t>(layers.size()); }
  int64_t query_size() const { return heads * head_size; }
  int64_t kv_size() const { return kv_heads * head_size; }
};

}  // namespace longsight

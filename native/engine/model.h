// A model folder, loaded: the decoder's description, every tensor where it lies, and what its
// generation config says.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/decoder_spec.h"
#include "engine/weight_store.h"

namespace longsight {

// y = x * weight^T + bias. weight [out, in]; bias [out] or empty.
struct Linear {
  Tensor weight;
  std::vector<float> bias;
};

struct LayerWeights {
  std::vector<float> attention_norm;  // [hidden]
  Linear query, key, value;           // [query_size or kv_size, hidden]
  std::vector<float> query_norm;      // [head_size] or empty
  std::vector<float> key_norm;        // [head_size] or empty
  Linear output;                      // [hidden, query_size]
  std::vector<float> mlp_norm;        // [hidden]
  Linear gate, up;                    // [intermediate, hidden]
  Linear down;                        // [hidden, intermediate]
};

struct Model {
  DecoderSpec spec;
  // Owns the mapped bytes that the tensors below point into.
  WeightStore store;
  Tensor embedding;  // [vocabulary, hidden]
  std::vector<LayerWeights> layers;
  std::vector<float> final_norm;  // [hidden]
  Linear head;                    // [vocabulary, hidden]; the embedding itself when tied
  std::vector<uint32_t> end_tokens;
  // Of all tensors in use.
  int64_t weights_bytes = 0;
};

// Reads config.json, generation_config.json (optional) and the weights, and checks all of them
// against each other. Throws Error: kModelFileMissing, kModelFileInvalid, kModelUnsupported.
Model LoadModel(const std::string& model_dir);

struct WeightVisitor {
  std::function<void(const Tensor& tensor)> matrix;            // embedding and head
  std::function<void(const Tensor& tensor)> linear;            // of the linear layers between them
  std::function<void(const std::vector<float>& values)> bias;  // may be empty
  std::function<void(const void* values, int64_t bytes)> vector;  // may be empty
};
// Everything that operations read of a model, once each but for what is tied.
void VisitWeights(const Model& model, const WeightVisitor& visit);

}  // namespace longsight

#include "engine/cuda_weights.h"

#include "engine/cuda_checks.h"

namespace longsight {
namespace {

constexpr const char* kTaking = "taking the weights";

class Taking {
 public:
  explicit Taking(cuda::WeightTable& table) : table_(table) {}

  void Matrix(const Tensor& tensor) {
    Check(table_.TakeMatrix(tensor.data, KernelType(tensor.type), tensor.size()), kTaking);
  }
  template <class T>
  void Vector(const std::vector<T>& values) {
    Check(table_.Take(values.data(), static_cast<int64_t>(values.size() * sizeof(T))), kTaking);
  }
  void OneLinear(const Linear& l, WeightType type) {
    const Tensor& w = l.weight;
    if (type == WeightType::kFp8) {
      Check(table_.TakeFp8(w.data, KernelType(w.type), w.shape[0], w.shape[1]), kTaking);
    } else {
      Matrix(w);
    }
    Check(table_.TakeBias(l.bias.data(), static_cast<int64_t>(l.bias.size())), kTaking);
  }

 private:
  cuda::WeightTable& table_;
};

}  // namespace

void TakeModel(const Model& model, WeightType type, cuda::WeightTable& table) {
  Taking taking(table);
  taking.Matrix(model.embedding);
  for (const LayerWeights& layer : model.layers) {
    for (const auto* norm :
         {&layer.attention_norm, &layer.mlp_norm, &layer.query_norm, &layer.key_norm}) {
      taking.Vector(*norm);
    }
    for (const Linear* l : {&layer.query, &layer.key, &layer.value, &layer.output, &layer.gate,
                            &layer.up, &layer.down}) {
      taking.OneLinear(*l, type);
    }
  }
  taking.Vector(model.final_norm);
  taking.OneLinear(model.head, WeightType::kBf16);
  taking.Vector(model.spec.rope.inverse_frequency);
}

}  // namespace longsight

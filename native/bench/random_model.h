#pragma once

#include <cstdint>
#include <utility>

#include "bench/shape.h"
#include "engine/anonymous_memory.h"
#include "engine/model.h"

namespace longsight::bench {

// A Llama of the given shape with random bf16 weights in memory, untied.
class RandomModel {
 public:
  RandomModel(const Shape& shape, int64_t max_context);

  // The model, once; its tensors point into this object.
  Model TakeModel() { return std::move(model_); }

 private:
  Tensor NextTensor(int64_t rows, int64_t columns);

  AnonymousMemory memory_;
  int64_t used_ = 0;
  uint32_t state_ = 12345;
  Model model_;
};

}  // namespace longsight::bench

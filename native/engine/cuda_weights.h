// The weights of a model on the device.
#pragma once

#include "cuda/weight_table.h"
#include "engine/backend.h"
#include "engine/model.h"

namespace longsight {

// Every tensor of `model`: linear layers as `type` says, norms and frequencies as they are, the
// rest in bf16. Waits. Throws Error(kNotEnoughMemory).
void TakeModel(const Model& model, WeightType type, cuda::WeightTable& table);

}  // namespace longsight

// The step of a recorded decode: see kernels.h.
#pragma once

#include <cstdint>

namespace longsight::cuda {

static __device__ __forceinline__ int64_t StepOf(const int64_t* step) {
  return step == nullptr ? 0 : *step;
}

}  // namespace longsight::cuda

// What the two streamed products share.
#pragma once

#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {

// Of `p.rows` up to kStreamedRows, with weights in e4m3.
cudaError_t MatmulStreamedFp8(const MatmulParams& p);

// A finished sum, into y.
static __device__ __forceinline__ void Finish(const MatmulParams& p, int64_t row, int64_t out,
                                              float sum) {
  const int64_t at = row * p.y_stride + out;
  if (p.y_type == DType::kF32) {
    float* y = static_cast<float*>(p.y) + at;
    if (p.bias != nullptr) sum += static_cast<const float*>(p.bias)[out];
    *y = p.add ? *y + sum : sum;
  } else {
    Bf16* y = static_cast<Bf16*>(p.y) + at;
    if (p.bias != nullptr) sum += ToFloat(static_cast<const Bf16*>(p.bias)[out]);
    *y = FromFloat<Bf16>(p.add ? ToFloat(*y) + sum : sum);
  }
}

}  // namespace longsight::cuda

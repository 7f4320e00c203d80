// What the two streamed products share.
#pragma once

#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {

// The products of a launch; those of block b are the last one whose first block is at most b.
struct StreamedBatch {
  MatmulParams products[kStreamedProducts];
  unsigned first_block[kStreamedProducts];
  unsigned blocks;
  int count;

  StreamedBatch(const MatmulParams* p, int n, int64_t outs_of_block) : blocks(0), count(n) {
    for (int i = 0; i < n; ++i) {
      products[i] = p[i];
      first_block[i] = blocks;
      blocks += static_cast<unsigned>(DivideUp(p[i].out, outs_of_block));
    }
  }
  __device__ int ProductOf(unsigned block) const {
    int i = 0;
    while (i + 1 < count && block >= first_block[i + 1]) ++i;
    return i;
  }
};

// Of up to kStreamedRows rows, with weights in e4m3.
cudaError_t MatmulStreamedFp8(const MatmulParams* products, int count);

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

// Keys and values in e4m3 and back. A warp takes one token's head at a time.
#include "cuda/e4m3.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/step.cuh"

namespace longsight::cuda {
namespace {

constexpr int kWarps = 8;

__global__ void __launch_bounds__(32 * kWarps) QuantizeKernel(QuantizeParams p) {
  WaitForPrevious();
  const int lane = threadIdx.x % 32;
  const int64_t moved = StepOf(p.step) * p.rows * p.heads;
  for (int64_t head = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
       head < p.rows * p.heads; head += static_cast<int64_t>(gridDim.x) * kWarps) {
    const Bf16* x = static_cast<const Bf16*>(p.x) + head * p.head_size;
    float most = 0;
    for (int64_t i = lane; i < p.head_size; i += 32) most = fmaxf(most, fabsf(ToFloat(x[i])));
    most = WarpMost(most);
    // Rounded up, so that the largest element stays in range; a head of zeros has any scale.
    const Bf16 scale = most > 0 ? __float2bfloat16_ru(most / kLargestE4M3) : FromFloat<Bf16>(1.0f);
    const float factor = 1 / ToFloat(scale);
    auto* y = static_cast<__nv_fp8_storage_t*>(p.y) + (moved + head) * p.head_size;
    for (int64_t i = lane; i < p.head_size; i += 32) {
      y[i] = ToE4M3(ToFloat(x[i]) * factor);
    }
    if (lane == 0) static_cast<Bf16*>(p.scales)[moved + head] = scale;
  }
}

__global__ void __launch_bounds__(32 * kWarps) DequantizeKernel(DequantizeParams p) {
  const int64_t vectors = p.head_size / 8, total = p.rows * p.heads * vectors;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < total;
       i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
    const float scale = ToFloat(static_cast<const Bf16*>(p.scales)[i / vectors]);
    const uint2 bits = static_cast<const uint2*>(p.y)[i];
    float x[8];
    UnpackE4M3(bits.x, x);
    UnpackE4M3(bits.y, x + 4);
#pragma unroll
    for (int j = 0; j < 8; ++j) x[j] *= scale;
    Store8(static_cast<Bf16*>(p.x) + 8 * i, x);
  }
}

}  // namespace

cudaError_t Quantize(const QuantizeParams& p) {
  return LaunchEarly(QuantizeKernel, Blocks(DivideUp(p.rows * p.heads, kWarps)), 32 * kWarps, 0,
                     p.stream, p);
}

cudaError_t Dequantize(const DequantizeParams& p) {
  const int64_t vectors = p.rows * p.heads * (p.head_size / 8);
  DequantizeKernel<<<Blocks(DivideUp(vectors, 32 * kWarps)), 32 * kWarps, 0, p.stream>>>(p);
  return cudaGetLastError();
}

}  // namespace longsight::cuda

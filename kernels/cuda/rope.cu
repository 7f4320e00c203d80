// Rope: the angles of a row once, in shared memory, then all its heads.
#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxPairs = 256;

// cos and sin of position * frequency. The product needs more than fp32's 24 bits from position
// 65,536 on; what is left of it after whole turns does not.
__device__ float2 CosSin(int64_t position, double frequency) {
  constexpr double kTurnsPerRadian = 0.15915494309189535;  // 1 / (2 pi)
  const double turns = static_cast<double>(position) * frequency * kTurnsPerRadian;
  float2 result;
  sincospif(static_cast<float>(2 * (turns - rint(turns))), &result.y, &result.x);
  return result;
}

__global__ void RopeKernel(RopeParams p) {
  __shared__ float2 turn[kMaxPairs];
  const int64_t pairs = p.rotary / 2;
  for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
    for (int64_t i = threadIdx.x; i < pairs; i += kThreads) {
      const float2 t = CosSin(p.first_position + row, p.inverse_frequency[i]);
      turn[i] = make_float2(t.x * p.magnitude, t.y * p.magnitude);
    }
    __syncthreads();
    Bf16* x = static_cast<Bf16*>(p.x) + row * p.row_stride;
    for (int64_t i = threadIdx.x; i < p.heads * pairs; i += kThreads) {
      const int64_t pair = i % pairs;
      Bf16* head = x + i / pairs * p.head_stride;
      Bf16* a = head + (p.interleaved ? 2 * pair : pair);
      Bf16* b = head + (p.interleaved ? 2 * pair + 1 : pair + pairs);
      const float u = ToFloat(*a), v = ToFloat(*b);
      const float2 t = turn[pair];
      *a = FromFloat<Bf16>(u * t.x - v * t.y);
      *b = FromFloat<Bf16>(v * t.x + u * t.y);
    }
    __syncthreads();
  }
}

}  // namespace

cudaError_t Rope(const RopeParams& p) {
  if (p.rotary / 2 > kMaxPairs) return cudaErrorInvalidValue;
  RopeKernel<<<Blocks(p.rows), kThreads, 0, p.stream>>>(p);
  return cudaGetLastError();
}

}  // namespace longsight::cuda

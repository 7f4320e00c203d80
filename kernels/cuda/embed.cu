#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void EmbedKernel(EmbedParams p) {
  WaitForPrevious();
  const int64_t total = p.rows * p.n;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < total;
       i += static_cast<int64_t>(gridDim.x) * kThreads) {
    const int64_t id = p.ids[i / p.n];
    p.y[i] = ToFloat(static_cast<const Bf16*>(p.table)[id * p.n + i % p.n]);
  }
}

}  // namespace

cudaError_t Embed(const EmbedParams& p) {
  return LaunchEarly(EmbedKernel, Blocks(DivideUp(p.rows * p.n, kThreads)), kThreads, 0, p.stream,
                     p);
}

}  // namespace longsight::cuda

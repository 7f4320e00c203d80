// The id of the largest logit. A block reads a stretch and adds its best to what all have found.
#include <algorithm>

#include "cuda/argmax.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

constexpr int kThreads = 256;
// A vocabulary of 128K in one wave of an H100, a few loads to a thread.
constexpr int64_t kMostBlocks = 128;

__device__ uint64_t Larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

__device__ uint64_t LargestOfWarp(uint64_t key) {
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    key = Larger(key, __shfl_xor_sync(0xFFFFFFFFu, key, lanes));
  }
  return key;
}

__global__ void ArgmaxKernel(const float* logits, int64_t n, uint64_t* result) {
  uint64_t key = 0;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < n; i += step) {
    key = Larger(key, ArgmaxKey(logits[i], static_cast<uint32_t>(i)));
  }
  __shared__ uint64_t of_warp[kThreads / 32];
  key = LargestOfWarp(key);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = key;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  key = LargestOfWarp(threadIdx.x < kThreads / 32 ? of_warp[threadIdx.x] : 0);
  if (threadIdx.x == 0) {
    atomicMax(reinterpret_cast<unsigned long long*>(result), static_cast<unsigned long long>(key));
  }
}

}  // namespace

cudaError_t Argmax(const ArgmaxParams& p) {
  const cudaError_t error = cudaMemsetAsync(p.key, 0, sizeof(uint64_t), p.stream);
  if (error != cudaSuccess) return error;
  const auto blocks =
      static_cast<unsigned>(std::clamp<int64_t>(DivideUp(p.n, kThreads), 1, kMostBlocks));
  ArgmaxKernel<<<blocks, kThreads, 0, p.stream>>>(p.logits, p.n, p.key);
  return cudaGetLastError();
}

}  // namespace longsight::cuda

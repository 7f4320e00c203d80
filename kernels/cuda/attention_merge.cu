#include <cmath>

#include "cuda/attention_merge.h"
#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

// Threads to the elements of a head, and groups of them that share out the parts.
constexpr int kLanes = kMaxHeadSize;
constexpr int kGroups = 4;
constexpr int kThreads = kLanes * kGroups;

// A block for each row and head.
__global__ void __launch_bounds__(kThreads) MergeKernel(AttentionMergeParams p, int64_t stride) {
  __shared__ float weights[kMaxParts];
  __shared__ float whole[2];  // the factor of the merged sum, its log-sum-exp
  WaitForPrevious();
  const int64_t row = blockIdx.x;
  const float* lse = p.parts + p.layout.rows * p.layout.heads * p.layout.head_size + row;
  if (threadIdx.x < 32) {
    float most = -INFINITY;
    for (int64_t i = p.first + threadIdx.x; i < p.end; i += 32) most = fmaxf(most, lse[i * stride]);
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
      most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFu, most, distance));
    }
    const float base = most == -INFINITY ? 0.0f : most;
    float sum = 0;
    for (int64_t i = p.first + threadIdx.x; i < p.end; i += 32) {
      const float weight = expf(lse[i * stride] - base);
      weights[i - p.first] = weight;
      sum += weight;
    }
    sum = WarpSum(sum);
    if (threadIdx.x == 0) {
      whole[0] = sum > 0 ? 1 / sum : 0.0f;
      whole[1] = sum > 0 ? base + logf(sum) : -INFINITY;
    }
  }
  __syncthreads();
  float* const first_part = p.parts + row * p.layout.head_size;
  const int d = threadIdx.x % kLanes, group = threadIdx.x / kLanes;
  float x = 0;
  if (d < p.layout.head_size) {
#pragma unroll 8
    for (int64_t i = p.first + group; i < p.end; i += kGroups) {
      x += weights[i - p.first] * first_part[i * stride + d];
    }
  }
  __shared__ float sums[kGroups][kLanes];
  sums[group][d] = x;
  __syncthreads();
  if (group == 0 && d < p.layout.head_size) {
    for (int i = 1; i < kGroups; ++i) x += sums[i][d];
    x *= whole[0];
    if (p.out != nullptr) {
      const int64_t token = row / p.layout.heads, head = row % p.layout.heads;
      static_cast<Bf16*>(p.out)[token * p.out_row_stride + head * p.layout.head_size + d] =
          FromFloat<Bf16>(x);
    } else {
      first_part[d] = x;
    }
  }
  if (threadIdx.x == 0) {
    float* target = p.lse != nullptr
                        ? p.lse + row
                        : p.parts + p.layout.rows * p.layout.heads * p.layout.head_size + row;
    *target = whole[1];
  }
}

}  // namespace

cudaError_t AttentionMerge(const AttentionMergeParams& p) {
  const auto blocks = static_cast<unsigned>(p.layout.rows * p.layout.heads);
  return LaunchEarly(MergeKernel, blocks, kThreads, 0, p.stream, p, p.layout.stride());
}

}  // namespace longsight::cuda

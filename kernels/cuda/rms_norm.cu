// RmsNorm: one row to a warp, or to a block where rows are long.
#include "cuda/e4m3.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

constexpr int kWarps = 8;
// A longer row takes a block.
constexpr int64_t kWarpElements = 512;

// Sums over `Threads` threads that share a row: a warp, or a block of kWarps warps.
template <int Threads>
__device__ float RowSum(float x) {
  x = WarpSum(x);
  if constexpr (Threads > 32) {
    __shared__ float parts[kWarps];
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
    __syncthreads();
    x = WarpSum(threadIdx.x % 32 < kWarps ? parts[threadIdx.x % 32] : 0.0f);
    __syncthreads();
  }
  return x;
}

template <int Threads>
__device__ float RowMost(float x) {
  if constexpr (Threads > 32) {
    return BlockMost<kWarps>(x);
  } else {
    return WarpMost(x);
  }
}

template <class In, int Threads, bool Vector, bool E4M3>
__global__ void RmsNormKernel(RmsNormParams p) {
  constexpr int kRows = 32 * kWarps / Threads;  // rows to a block
  constexpr int kStep = Vector ? 8 : 1;
  const int thread = threadIdx.x % Threads;
  WaitForPrevious();
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * kRows; first < p.rows;
       first += static_cast<int64_t>(gridDim.x) * kRows) {
    const int64_t row = first + threadIdx.x / Threads;
    // A warp without a row of its own still takes part in the sums.
    const int64_t n = row < p.rows ? p.n : 0;
    const In* x = static_cast<const In*>(p.x) + row * p.x_stride;
    Bf16* y = static_cast<Bf16*>(p.y) + row * p.y_stride;
    float sum = 0, most = 0;  // most: of y / factor
    for (int64_t i = thread * kStep; i < n; i += Threads * kStep) {
      if constexpr (Vector) {
        float v[8];
        Load8(x + i, v);
#pragma unroll
        for (int j = 0; j < 8; ++j) sum += v[j] * v[j];
        if constexpr (E4M3) {
          float w[8];
          Load8(p.weight + i, w);
#pragma unroll
          for (int j = 0; j < 8; ++j) most = fmaxf(most, fabsf(v[j] * w[j]));
        }
      } else {
        const float v = ToFloat(x[i]);
        sum += v * v;
        if constexpr (E4M3) most = fmaxf(most, fabsf(v * p.weight[i]));
      }
    }
    const float mean = RowSum<Threads>(sum) / static_cast<float>(p.n);
    const float factor = rsqrtf(mean + p.eps);
    const float scale = E4M3 ? ScaleOfRow(RowMost<Threads>(most) * factor) : 1.0f;
    const float shrink = 1 / scale;
    auto* narrow = static_cast<uint8_t*>(p.rounded.y) + (E4M3 ? row * p.n : 0);
    if (E4M3 && thread == 0 && n > 0) p.rounded.scales[row] = scale;
    for (int64_t i = thread * kStep; i < n; i += Threads * kStep) {
      if constexpr (Vector) {
        float v[8], w[8];
        Load8(x + i, v);
        Load8(p.weight + i, w);
#pragma unroll
        for (int j = 0; j < 8; ++j) v[j] *= factor * w[j];
        Store8(y + i, v);
        if constexpr (E4M3) Store8E4M3(narrow + i, v, shrink);
      } else {
        const float v = ToFloat(x[i]) * (factor * p.weight[i]);
        y[i] = FromFloat<Bf16>(v);
        if constexpr (E4M3) narrow[i] = ToE4M3(v * shrink);
      }
    }
  }
}

template <class In, bool Vector, bool E4M3>
cudaError_t Launch(const RmsNormParams& p) {
  if (p.n <= kWarpElements) {
    return LaunchEarly(RmsNormKernel<In, 32, Vector, E4M3>, Blocks(DivideUp(p.rows, kWarps)),
                       32 * kWarps, 0, p.stream, p);
  }
  return LaunchEarly(RmsNormKernel<In, 32 * kWarps, Vector, E4M3>, Blocks(p.rows), 32 * kWarps, 0,
                     p.stream, p);
}

template <class In, bool E4M3>
cudaError_t Launch(const RmsNormParams& p) {
  const bool vector = IsVector(p.x, p.x_stride, p.n, sizeof(In)) &&
                      IsVector(p.y, p.y_stride, p.n, sizeof(Bf16)) &&
                      IsVector(p.weight, 0, p.n, sizeof(float)) &&
                      reinterpret_cast<uintptr_t>(p.rounded.y) % 8 == 0;
  return vector ? Launch<In, true, E4M3>(p) : Launch<In, false, E4M3>(p);
}

template <class In>
cudaError_t Launch(const RmsNormParams& p) {
  return p.rounded.y != nullptr ? Launch<In, true>(p) : Launch<In, false>(p);
}

}  // namespace

cudaError_t RmsNorm(const RmsNormParams& p) {
  return p.x_type == DType::kF32 ? Launch<float>(p) : Launch<Bf16>(p);
}

}  // namespace longsight::cuda

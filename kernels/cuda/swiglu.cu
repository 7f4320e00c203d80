#include "cuda/e4m3.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ float Gated(float gate, float up) {
  return gate / (1.0f + __expf(-gate)) * up;
}

template <bool Vector>
__global__ void SwiGluKernel(SwiGluParams p) {
  constexpr int kStep = Vector ? 8 : 1;
  WaitForPrevious();
  const int64_t steps = p.n / kStep, total = p.rows * steps;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < total;
       i += static_cast<int64_t>(gridDim.x) * kThreads) {
    const int64_t row = i / steps, at = i % steps * kStep;
    const Bf16* gate = static_cast<const Bf16*>(p.gate) + row * p.gate_stride + at;
    const Bf16* up = static_cast<const Bf16*>(p.up) + row * p.up_stride + at;
    Bf16* y = static_cast<Bf16*>(p.y) + row * p.y_stride + at;
    if constexpr (Vector) {
      float g[8], u[8];
      Load8(gate, g);
      Load8(up, u);
#pragma unroll
      for (int j = 0; j < 8; ++j) g[j] = Gated(g[j], u[j]);
      Store8(y, g);
    } else {
      *y = FromFloat<Bf16>(Gated(ToFloat(*gate), ToFloat(*up)));
    }
  }
}

// In bf16 and in e4m3: a block to a row, since the scale wants the whole row. What a thread wrote
// it reads again, while the caches hold it.
template <bool Vector>
__global__ void __launch_bounds__(kThreads) SwiGluRowsKernel(SwiGluParams p) {
  constexpr int kStep = Vector ? 8 : 1;
  WaitForPrevious();
  for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
    const Bf16* gate = static_cast<const Bf16*>(p.gate) + row * p.gate_stride;
    const Bf16* up = static_cast<const Bf16*>(p.up) + row * p.up_stride;
    Bf16* y = static_cast<Bf16*>(p.y) + row * p.y_stride;
    auto* narrow = static_cast<uint8_t*>(p.rounded.y) + row * p.n;
    float most = 0;
    for (int64_t i = threadIdx.x * kStep; i < p.n; i += kThreads * kStep) {
      if constexpr (Vector) {
        float g[8], u[8];
        Load8(gate + i, g);
        Load8(up + i, u);
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          g[j] = Gated(g[j], u[j]);
          most = fmaxf(most, fabsf(g[j]));
        }
        Store8(y + i, g);
      } else {
        const float g = Gated(ToFloat(gate[i]), ToFloat(up[i]));
        most = fmaxf(most, fabsf(g));
        y[i] = FromFloat<Bf16>(g);
      }
    }
    const float scale = ScaleOfRow(BlockMost<kThreads / 32>(most));
    const float shrink = 1 / scale;
    for (int64_t i = threadIdx.x * kStep; i < p.n; i += kThreads * kStep) {
      if constexpr (Vector) {
        float g[8];
        Load8(y + i, g);
        Store8E4M3(narrow + i, g, shrink);
      } else {
        narrow[i] = ToE4M3(ToFloat(y[i]) * shrink);
      }
    }
    if (threadIdx.x == 0) p.rounded.scales[row] = scale;
  }
}

}  // namespace

cudaError_t SwiGlu(const SwiGluParams& p) {
  const bool vector = IsVector(p.gate, p.gate_stride, p.n, sizeof(Bf16)) &&
                      IsVector(p.up, p.up_stride, p.n, sizeof(Bf16)) &&
                      IsVector(p.y, p.y_stride, p.n, sizeof(Bf16));
  if (p.rounded.y != nullptr) {
    const bool whole = vector && reinterpret_cast<uintptr_t>(p.rounded.y) % 8 == 0;
    return LaunchEarly(whole ? SwiGluRowsKernel<true> : SwiGluRowsKernel<false>, Blocks(p.rows),
                       kThreads, 0, p.stream, p);
  }
  const int64_t threads = p.rows * (vector ? p.n / 8 : p.n);
  return LaunchEarly(vector ? SwiGluKernel<true> : SwiGluKernel<false>,
                     Blocks(DivideUp(threads, kThreads)), kThreads, 0, p.stream, p);
}

}  // namespace longsight::cuda

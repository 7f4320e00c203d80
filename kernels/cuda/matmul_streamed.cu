// Matmul for few rows: every weight is read once, so this is bound by memory. A warp takes one
// output or two at a time, and keeps several 16-byte loads of each in flight.
#include "cuda/matmul_streamed.cuh"

namespace longsight::cuda {
namespace {

constexpr int kWarps = 4;
// Fewer outputs than these give every warp one: more warps to keep the memory busy.
constexpr int64_t kManyOuts = 8192;

#ifndef PF_LANES
#define PF_LANES 8
#endif
// The first bytes of a row of weights on their way to the L2 cache: few, since all blocks of a
// product do this at once.
__device__ __forceinline__ void PrefetchLines(const void* row, int64_t bytes) {
  const int64_t at = threadIdx.x % 32 * 128;
  if (at < bytes && threadIdx.x % 32 < PF_LANES) {
    asm volatile("prefetch.global.L2 [%0];\n" ::"l"(static_cast<const char*>(row) + at));
  }
}

template <int Rows, int Outs, bool Vector>
__global__ void __launch_bounds__(32 * kWarps) StreamedKernel(MatmulParams p) {
  constexpr int kStep = Vector ? 8 : 1;
  const int lane = threadIdx.x % 32;
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32) * Outs;
  if (first >= p.out) return;
  const Bf16* x = static_cast<const Bf16*>(p.x);
  const Bf16* w[Outs];
#pragma unroll
  for (int o = 0; o < Outs; ++o) {
    // The last warp of an odd number of outputs reads its one row twice.
    const int64_t out = first + o < p.out ? first + o : first;
    w[o] = static_cast<const Bf16*>(p.w) + out * p.in;
  }
  // Weights are never written by a kernel before.
#pragma unroll
  for (int o = 0; o < Outs; ++o) PrefetchLines(w[o], p.in * 2);
  WaitForPrevious();
  float sum[Outs][Rows] = {};
#pragma unroll 4
  for (int64_t i = lane * kStep; i < p.in; i += 32 * kStep) {
    float weights[Outs][kStep];
#pragma unroll
    for (int o = 0; o < Outs; ++o) {
      if constexpr (Vector) {
        Load8(w[o] + i, weights[o]);
      } else {
        weights[o][0] = ToFloat(w[o][i]);
      }
    }
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      float value[kStep];
      if constexpr (Vector) {
        Load8(x + r * p.x_stride + i, value);
      } else {
        value[0] = ToFloat(x[r * p.x_stride + i]);
      }
#pragma unroll
      for (int o = 0; o < Outs; ++o) {
#pragma unroll
        for (int j = 0; j < kStep; ++j) sum[o][r] += weights[o][j] * value[j];
      }
    }
  }
#pragma unroll
  for (int o = 0; o < Outs; ++o) {
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      const float total = WarpSum(sum[o][r]);
      if (lane == 0 && first + o < p.out) Finish(p, r, first + o, total);
    }
  }
}

template <int Rows, int Outs>
cudaError_t Launch(const MatmulParams& p) {
  const auto blocks = static_cast<unsigned>(DivideUp(p.out, kWarps * Outs));
  const bool vector =
      IsVector(p.x, p.x_stride, p.in, sizeof(Bf16)) && IsVector(p.w, p.in, p.in, sizeof(Bf16));
  const auto kernel = vector ? StreamedKernel<Rows, Outs, true> : StreamedKernel<Rows, Outs, false>;
  return LaunchEarly(kernel, blocks, 32 * kWarps, 0, p.stream, p);
}

template <int Rows>
cudaError_t Launch(const MatmulParams& p) {
  return p.out < kManyOuts ? Launch<Rows, 1>(p) : Launch<Rows, 2>(p);
}

}  // namespace

cudaError_t MatmulStreamed(const MatmulParams& p) {
  if (p.x_scales != nullptr) return cudaErrorInvalidValue;
  if (p.w_scales != nullptr) return MatmulStreamedFp8(p);
  switch (p.rows) {
    case 1:
      return Launch<1>(p);
    case 2:
      return Launch<2>(p);
    case 3:
      return Launch<3>(p);
    case 4:
      return Launch<4>(p);
  }
  return cudaErrorInvalidValue;
}

}  // namespace longsight::cuda

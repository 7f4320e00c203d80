// Matmul for few rows: every weight is read once, so this is bound by memory. A warp takes one
// output or two at a time, and keeps several 16-byte loads of each in flight.
#include "cuda/matmul_streamed.cuh"

namespace longsight::cuda {
namespace {

constexpr int kWarps = 4;
// Fewer outputs than these give every warp one: more warps to keep the memory busy.
constexpr int64_t kManyOuts = 8192;

// Of a row of weights, ahead of its turn. Few, since all blocks of a product do this at once: with
// four times as many the caches overflow.
constexpr int kPrefetchedLines = 8;

__device__ __forceinline__ void PrefetchLines(const void* row, int64_t bytes) {
  constexpr int kLine = 128;
  const int line = threadIdx.x % 32;
  if (line < kPrefetchedLines && line * kLine < bytes) {
    asm volatile("prefetch.global.L2 [%0];\n" ::"l"(static_cast<const char*>(row) + line * kLine));
  }
}

template <int Rows, int Outs, bool Vector>
__global__ void __launch_bounds__(32 * kWarps)
    StreamedKernel(const __grid_constant__ StreamedBatch batch) {
  constexpr int kStep = Vector ? 8 : 1;
  const int lane = threadIdx.x % 32;
  const int product = batch.ProductOf(blockIdx.x);
  const MatmulParams& p = batch.products[product];
  const int64_t block = blockIdx.x - batch.first_block[product];
  const int64_t first = (block * kWarps + threadIdx.x / 32) * Outs;
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
cudaError_t Launch(const MatmulParams* products, int count, bool vector) {
  const StreamedBatch batch(products, count, kWarps * Outs);
  const auto kernel = vector ? StreamedKernel<Rows, Outs, true> : StreamedKernel<Rows, Outs, false>;
  return LaunchEarly(kernel, batch.blocks, 32 * kWarps, 0, products->stream, batch);
}

template <int Rows>
cudaError_t Launch(const MatmulParams* products, int count) {
  bool vector = true;
  int64_t outs = 0;
  for (int i = 0; i < count; ++i) {
    const MatmulParams& p = products[i];
    vector = vector && IsVector(p.x, p.x_stride, p.in, sizeof(Bf16)) &&
             IsVector(p.w, p.in, p.in, sizeof(Bf16));
    outs += p.out;
  }
  return outs < kManyOuts ? Launch<Rows, 1>(products, count, vector)
                          : Launch<Rows, 2>(products, count, vector);
}

}  // namespace

cudaError_t MatmulStreamed(const MatmulParams& p) { return MatmulStreamed(&p, 1); }

cudaError_t MatmulStreamed(const MatmulParams* products, int count) {
  if (count < 1 || count > kStreamedProducts) return cudaErrorInvalidValue;
  const MatmulParams& first = *products;
  for (int i = 0; i < count; ++i) {
    const MatmulParams& p = products[i];
    const bool same = p.x == first.x && p.x_stride == first.x_stride && p.rows == first.rows &&
                      p.in == first.in && p.stream == first.stream &&
                      (p.w_scales != nullptr) == (first.w_scales != nullptr);
    if (!same || p.x_scales != nullptr) return cudaErrorInvalidValue;
  }
  if (first.w_scales != nullptr) return MatmulStreamedFp8(products, count);
  switch (first.rows) {
    case 1:
      return Launch<1>(products, count);
    case 2:
      return Launch<2>(products, count);
    case 3:
      return Launch<3>(products, count);
    case 4:
      return Launch<4>(products, count);
  }
  return cudaErrorInvalidValue;
}

}  // namespace longsight::cuda

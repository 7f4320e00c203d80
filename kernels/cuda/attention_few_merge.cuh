// How the warps of a block with few stacked rows put together what each has of them.
#pragma once

#include "cuda/attention_few.cuh"

namespace longsight::cuda {

// All four warps have the same rows, each over its keys: merged through `shared`, which holds
// kFewMergeFloats. `unit`: by which the warp's sums are multiplied.
template <int HeadSize, int Tiles>
inline constexpr int kFewMergeFloats = 4 * kFewColumns * Tiles * (HeadSize + 2);

template <int HeadSize, int Tiles>
static __device__ void MergeFew(const DecodeArgs& a, int kv_head, int64_t split, int64_t first_row,
                                const FewRows<Tiles>& rows,
                                const float (&out)[Tiles][HeadSize / 16][4], float unit,
                                float* shared) {
  constexpr int kWarps = kAttentionThreads / 32, kRows = kFewColumns * Tiles;
  float* most = shared;                // [warps, rows]
  float* sum = most + kRows * kWarps;  // [warps, rows]
  float* sums = sum + kRows * kWarps;  // [warps, rows, HeadSize]
  const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int row = kRows * warp + kFewColumns * tile + 2 * t + i;
      float total = rows.sum[tile][i];
#pragma unroll
      for (int distance = 4; distance < 32; distance *= 2) {
        total += __shfl_xor_sync(0xFFFFFFFFu, total, distance);
      }
      if (g == 0) {
        most[row] = rows.most[tile][i];
        sum[row] = total;
      }
#pragma unroll
      for (int m = 0; m < HeadSize / 16; ++m) {
        const int column = HeadSize / 8 * g + 2 * m;
        *reinterpret_cast<float2*>(sums + row * HeadSize + column) =
            make_float2(out[tile][m][i] * unit, out[tile][m][2 + i] * unit);
      }
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kRows * HeadSize / 2; i += kAttentionThreads) {
    const int row = i / (HeadSize / 2), column = i % (HeadSize / 2) * 2;
    float top = -INFINITY, total = 0, x = 0, y = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) top = fmaxf(top, most[kRows * w + row]);
    if (top == -INFINITY) top = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const float weight = exp2f(most[kRows * w + row] - top);
      const float* part = sums + (kRows * w + row) * HeadSize + column;
      total += weight * sum[kRows * w + row];
      x += weight * part[0];
      y += weight * part[1];
    }
    const float factor = total > 0 ? 1 / total : 0.0f;
    Write(a, kv_head, split, first_row + row, column, x * factor, y * factor);
    if (column == 0) WriteLse(a, kv_head, split, first_row + row, NaturalLse(top, total));
  }
}

}  // namespace longsight::cuda

// One attention layer of Llama-3-8B's shape with random inputs, for the CUDA benchmarks.
#pragma once

#include "cuda/attention.h"
#include "cuda_device.h"
#include "index/area.h"

namespace longsight::bench {

// Llama-3-8B's attention.
inline constexpr int64_t kHeads = 32, kKvHeads = 8, kHeadSize = 128;

struct Layer {
  int64_t tokens, rows;
  DeviceArray<__nv_bfloat16> q, k, v, out;
  DeviceArray<float> lse;
  DeviceArray<int32_t> next_task;

  // `rows` at the end of `tokens`.
  Layer(int64_t tokens_in, int64_t rows_in)
      : tokens(tokens_in),
        rows(rows_in),
        q(rows * kHeads * kHeadSize),
        k(tokens * kKvHeads * kHeadSize),
        v(tokens * kKvHeads * kHeadSize),
        out(rows * kHeads * kHeadSize),
        lse(rows * kHeads),
        next_task(1) {
    Fill(q.data(), rows * kHeads * kHeadSize, 1);
    Fill(k.data(), tokens * kKvHeads * kHeadSize, 2);
    Fill(v.data(), tokens * kKvHeads * kHeadSize, 3);
  }

  template <class P>
  void Describe(P& p) {
    p.q = q.data();
    p.q_row_stride = p.out_row_stride = kHeads * kHeadSize;
    p.q_head_stride = p.out_head_stride = kHeadSize;
    p.rows = rows;
    p.heads = kHeads;
    p.kv_heads = kKvHeads;
    p.head_size = kHeadSize;
    p.first_position = tokens - rows;
    p.scale = 0.08838834764f;
    p.kv = {k.data(), v.data(), kKvHeads * kHeadSize, kHeadSize, tokens, 0};
    p.out = out.data();
    p.lse = lse.data();
    p.next_task = next_task.data();
  }

  double DensePairs() const { return kHeads * index::CausalArea(tokens - rows, rows); }
};

constexpr int kPlanted = 6;
struct Offsets {
  int32_t of[kPlanted];
};

// A thread an element of q[rows, heads, head_size]; k[tokens, kv_heads, head_size].
static __global__ void PlantSlashes(__nv_bfloat16* q, const __nv_bfloat16* k, int64_t rows,
                                    int64_t tokens, Offsets offsets) {
  const int64_t count = rows * kHeads * kHeadSize;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride) {
    const int64_t c = i % kHeadSize, head = i / kHeadSize % kHeads;
    const int64_t position = tokens - rows + i / (kHeads * kHeadSize);
    float value = 0.6f * __bfloat162float(q[i]);
    for (int n = 0; n < kPlanted; ++n) {
      const int64_t key = position - offsets.of[n] - 977 * head;
      if (key < 0) continue;
      value += 0.35f *
               __bfloat162float(k[(key * kKvHeads + head / (kHeads / kKvHeads)) * kHeadSize + c]);
    }
    // What the sinks point at.
    value += c % 8 == 0 ? 1.5f : 0.0f;
    q[i] = __float2bfloat16(value);
  }
}
static __global__ void PlantSinks(__nv_bfloat16* k) {
  if (threadIdx.x % 8 == 0) k[blockIdx.x * blockDim.x + threadIdx.x] = __float2bfloat16(4.0f);
}

// Random keys get a sink at the start; queries point at it, all in one direction, and at the keys
// some offsets before them, other offsets in every head, so that there are slashes to find.
inline void PlantStructure(Layer& layer) {
  PlantSinks<<<4 * kKvHeads, kHeadSize>>>(layer.k.data());
  PlantSlashes<<<4096, 256>>>(layer.q.data(), layer.k.data(), layer.rows, layer.tokens,
                              {{211, 1733, 4099, 9973, 30011, 77023}});
  Cuda(cudaGetLastError(), "planting");
}

inline double Tflops(double pairs, double ms) { return pairs * 4 * kHeadSize / (ms * 1e9); }

inline void Must(const cuda::Launched& launched) {
  if (launched.ok()) return;
  std::printf("%s (%s)\n", launched.what,
              cudaGetErrorString(static_cast<cudaError_t>(launched.error)));
  std::exit(1);
}

inline int RunsFor(double pairs) { return pairs > 4e12 ? 1 : pairs > 4e11 ? 3 : 9; }

}  // namespace longsight::bench

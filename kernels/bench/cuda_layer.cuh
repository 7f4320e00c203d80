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

inline double Tflops(double pairs, double ms) { return pairs * 4 * kHeadSize / (ms * 1e9); }

inline void Must(const cuda::Launched& launched) {
  if (launched.ok()) return;
  std::printf("%s (%s)\n", launched.what,
              cudaGetErrorString(static_cast<cudaError_t>(launched.error)));
  std::exit(1);
}

inline int RunsFor(double pairs) { return pairs > 4e12 ? 1 : pairs > 4e11 ? 3 : 9; }

}  // namespace longsight::bench

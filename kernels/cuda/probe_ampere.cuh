// The probe for GPUs without warpgroup products: the same passes over the same runs of keys, scores
// by mma.sync. A CTA takes one head and a slice of the keys, a run to each of its four warps.
#pragma once

#include "attention_tiles.h"
#include "mma.cuh"
#include "probe_hopper.cuh"

namespace longsight::cuda {

template <int kHeadSize>
struct AmpereProbeShape {
  static constexpr int kThreads = 32 * kProbeWarps;
  static constexpr int kRows = 64;
  static constexpr int kPanels = (kHeadSize + 63) / 64;
  static constexpr int kQBytes = kPanels * kRows * kPanelRowBytes;
  static constexpr int kGroupBytes = kPanels * kProbeGroup * kPanelRowBytes;
  // Two groups of keys for each warp.
  static constexpr int kBytes = kQBytes + kProbeWarps * 2 * kGroupBytes;
};

template <int kHeadSize, class Pass>
__global__ void __launch_bounds__(AmpereProbeShape<kHeadSize>::kThreads)
    AmpereProbeKernel(const __grid_constant__ ProbeArguments p) {
  using S = AmpereProbeShape<kHeadSize>;
  constexpr int kChunks = kHeadSize / 8;
  extern __shared__ __align__(128) unsigned char memory[];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const auto slice = static_cast<int32_t>(blockIdx.x), head = static_cast<int32_t>(blockIdx.y);
  const int32_t kv_head = head / p.group, first_row = p.tokens - p.rows;
  for (int i = threadIdx.x; i < S::kRows * kChunks; i += S::kThreads) {
    const int row = i / kChunks, chunk = i % kChunks;
    const bool inside = row < p.rows;
    CopyAsync16(memory + SwizzledOffset(row, chunk, S::kRows),
                p.q + (inside ? row : 0) * p.q_row_stride + head * p.q_head_stride + chunk * 8,
                inside);
  }
  CommitCopies();
  WaitForCopies<0>();
  __syncthreads();

  unsigned char* groups = memory + S::kQBytes + warp * 2 * S::kGroupBytes;
  const auto load = [&](int32_t i, int32_t key) {
    if (i < p.plan.groups) {
      for (int n = lane; n < kProbeGroup * kChunks; n += 32) {
        const int row = n / kChunks, chunk = n % kChunks;
        const int32_t at = key + row;
        const bool inside = at >= 0 && at < p.tokens;
        CopyAsync16(
            groups + i % 2 * S::kGroupBytes + SwizzledOffset(row, chunk, kProbeGroup),
            p.k + (inside ? at : 0) * p.k_row_stride + kv_head * p.k_head_stride + chunk * 8,
            inside);
      }
    }
    CommitCopies();
  };
  int32_t key = RunBegin(p.plan, slice, warp);
  Pass pass(p, head, lane);
  load(0, key);
  for (int32_t i = 0; i < p.plan.groups; ++i, key += kProbeGroup) {
    load(i + 1, key + kProbeGroup);
    WaitForCopies<1>();
    __syncwarp();
    const unsigned char* keys = groups + i % 2 * S::kGroupBytes;
    float scores[32] = {};
#pragma unroll
    for (int step = 0; step < kHeadSize / 16; ++step) {
      uint32_t a[4];
      LoadMatrices(a, keys + SwizzledOffset(lane % 16, 2 * step + lane / 16, kProbeGroup));
#pragma unroll
      for (int j = 0; j < 8; j += 2) {
        uint32_t b[4];
        const int row = j * 8 + lane / 16 * 8 + lane % 8, chunk = 2 * step + lane / 8 % 2;
        LoadMatrices(b, memory + SwizzledOffset(row, chunk, S::kRows));
        MultiplyBf16(*reinterpret_cast<float (*)[4]>(scores + 4 * j), a, b[0], b[1]);
        MultiplyBf16(*reinterpret_cast<float (*)[4]>(scores + 4 * j + 4), a, b[2], b[3]);
      }
    }
    __syncwarp();
    MaskProbe(p, key, first_row, scores);
    pass.Take(p, scores, key, head);
  }
  pass.Finish(p, slice * kProbeWarps + warp, head, key);
}

}  // namespace longsight::cuda

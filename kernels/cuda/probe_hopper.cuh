// The probe for sm_90a. A CTA holds up to four query heads of one KV head, a warpgroup each, and
// streams a slice of the keys past them. Scores are computed transposed, keys down and query rows
// across, so that a key's sum over the rows stays within a quad of lanes.
#pragma once

#include <cuda_bf16.h>

#include "attention_pipeline.cuh"
#include "hopper.cuh"
#include "index/host_device.h"
#include "probe_plan.h"
#include "wgmma.cuh"

namespace longsight::cuda {

struct ProbeArguments {
  CUtensorMap q_map;  // Hopper only, as the next: boxes of 64 rows
  CUtensorMap k_map;  // boxes of 16 keys
  const __nv_bfloat16* q;
  const __nv_bfloat16* k;
  int64_t q_row_stride, q_head_stride, k_row_stride, k_head_stride;
  ProbePlan plan;
  int32_t heads, group, rows, tokens;
  float scale;
  float* lse2;     // [heads, kProbeRows]
  float* partial;  // [slices * kProbeWarps, heads, kProbeRows]
  float* columns;
  float* bands;
  int64_t band_count;
};

// Shared memory of a CTA, in bytes from a 1,024-byte boundary: queries, tiles of keys, barriers.
inline constexpr int kProbeStages = 6;
template <int kHeadSize>
struct ProbeShared {
  static constexpr int kRows = 64;  // of queries, and keys of a tile
  static constexpr int kPanels = (kHeadSize + 63) / 64;
  static constexpr int kTileBytes = kPanels * kRows * 128;
  static constexpr int kTilesAt = kProbeHeads * kTileBytes;
  static constexpr int kBarriersAt = kTilesAt + kProbeStages * kTileBytes;
  static constexpr int kBytes = kBarriersAt + 256 + 1024;
};

// A warpgroup to each head, and one of which a thread loads.
inline constexpr int kProbeThreads = 128 * kProbeHeads + 128;
inline constexpr int kProbeLoadRegisters = 24, kProbeRegisters = 112;
// What a CTA starts with, 96 to a thread, is all that its warps can take.
static_assert(128 * (kProbeLoadRegisters + kProbeHeads * kProbeRegisters) <= 96 * kProbeThreads);

// What a warpgroup does with the scores of 64 keys: the first pass.
struct ProbeSumRows {
  // Two groups of scores would not leave enough registers.
  static constexpr bool kTwoGroups = false;
  // Of this thread's 16 query rows over its own keys.
  float top[16], sum[16];

  __device__ explicit ProbeSumRows(const ProbeArguments&, int, int) {
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      // Finite, so that a difference of two stays a number.
      top[i] = -1e30f;
      sum[i] = 0.0f;
    }
  }

  // scores[4 j + i]: key g + 8 (i / 2), row 8 j + 2 t + i % 2, masked ones -inf.
  __device__ void Take(const ProbeArguments& p, float (&scores)[32], int32_t, int32_t) {
    const float scale = p.scale * 1.44269504088896341f;
    bool higher = false;
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const int at = i / 2 * 4 + i % 2;
      higher |= fmaxf(scores[at], scores[at + 2]) > top[i];
    }
    if (__any_sync(0xffffffffu, higher)) {
#pragma unroll
      for (int i = 0; i < 16; ++i) {
        const int at = i / 2 * 4 + i % 2;
        const float now = fmaxf(top[i], fmaxf(scores[at], scores[at + 2]));
        sum[i] *= Exp2((top[i] - now) * scale);
        top[i] = now;
      }
    }
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const int at = i / 2 * 4 + i % 2;
      sum[i] += Exp2((scores[at] - top[i]) * scale) + Exp2((scores[at + 2] - top[i]) * scale);
    }
  }

  // `run`: number of the warp's run.
  __device__ void Finish(const ProbeArguments& p, int32_t run, int32_t head, int32_t) {
    const float scale = p.scale * 1.44269504088896341f;
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      for (int other = 4; other < 32; other *= 2) {
        const float their_top = __shfl_xor_sync(0xffffffffu, top[i], other);
        const float their_sum = __shfl_xor_sync(0xffffffffu, sum[i], other);
        const float now = fmaxf(top[i], their_top);
        sum[i] =
            sum[i] * Exp2((top[i] - now) * scale) + their_sum * Exp2((their_top - now) * scale);
        top[i] = now;
      }
      const int row = i / 2 * 8 + lane % 4 * 2 + i % 2;
      if (lane < 4) {
        const int64_t at = (static_cast<int64_t>(run) * p.heads + head) * index::kProbeRows + row;
        p.partial[at] = sum[i] > 0.0f ? top[i] * scale + log2f(sum[i]) : -INFINITY;
      }
    }
  }
};

// The second pass: shares of attention, summed along both kinds of lines.
struct ProbeSumLines {
  // Scores of the next keys are computed while these are summed.
  static constexpr bool kTwoGroups = true;
  float lse2[16];
  // Bands that later keys may still add to: [i] is the group's first one - 1 + i.
  float open[5] = {};
  int32_t done = 0;
  float above[2];  // whether a key's diagonal element lies above: 1 or 0

  __device__ ProbeSumLines(const ProbeArguments& p, int head, int lane) {
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const int row = i / 2 * 8 + lane % 4 * 2 + i % 2;
      // A row that is none: 2^(0 - inf) is nothing.
      lse2[i] = row < p.rows ? p.lse2[head * index::kProbeRows + row] : INFINITY;
    }
    for (int i = 0; i < 2; ++i) above[i] = lane % 4 * 2 + i >= lane / 4 ? 1.0f : 0.0f;
  }

  __device__ void Take(const ProbeArguments& p, float (&scores)[32], int32_t key, int32_t head) {
    const float scale = p.scale * 1.44269504088896341f;
    const int lane = threadIdx.x % 32;
    float of_key[2] = {0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < 32; ++i) {
      scores[i] = Exp2(scores[i] * scale - lse2[i / 4 * 2 + i % 2]);
      of_key[i / 2 % 2] += scores[i];
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      of_key[r] += __shfl_xor_sync(0xffffffffu, of_key[r], 1);
      of_key[r] += __shfl_xor_sync(0xffffffffu, of_key[r], 2);
      const int32_t at = key + lane / 4 + 8 * r;
      if (lane % 4 == 0 && at >= 0 && at < p.tokens) {
        p.columns[static_cast<int64_t>(head) * p.tokens + at] = of_key[r];
      }
    }
    if (key < index::kFirstColumns) {
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        if (key + lane / 4 + 8 * (i / 2 % 2) < index::kFirstColumns) scores[i] = 0.0f;
      }
    }
    // Blocks of 16 keys by 16 rows.
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float* left = scores + 8 * j;  // rows 0..7 of the 16
      const float* right = scores + 8 * j + 4;
      float up = right[0] + right[1], down = left[2] + left[3];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        up += (left[i] + right[2 + i]) * above[i];
        down += (left[i] + right[2 + i]) * (1.0f - above[i]);
      }
      open[j + 1] += up;
      open[j] += down;
    }
    Close(p, key, head);
  }

  // The furthest band gets nothing more from this run.
  __device__ void Close(const ProbeArguments& p, int32_t key, int32_t head) {
    float total = open[4];
    for (int other = 1; other < 32; other *= 2) {
      total += __shfl_xor_sync(0xffffffffu, total, other);
    }
    const int32_t band = p.plan.first_band - (key - p.plan.first_key) / kProbeGroup + 3;
    if (threadIdx.x % 32 == 0 && band >= 0 && band < p.band_count) {
      float* to = p.bands + head * p.band_count + band;
      // Its first ones also get the rest of the run before: two terms, whose order is the same sum.
      if (done < 4) {
        atomicAdd(to, total);
      } else {
        *to = total;
      }
    }
    ++done;
#pragma unroll
    for (int i = 4; i > 0; --i) open[i] = open[i - 1];
    open[0] = 0.0f;
  }

  // `key`: where the next run begins.
  __device__ void Finish(const ProbeArguments& p, int32_t, int32_t head, int32_t key) {
    for (int i = 0; i < 4; ++i) {
      done = 0;
      Close(p, key + i * kProbeGroup, head);
    }
  }
};

// Keys that are none, and the causal corner: a warp's 16 keys from `key` on.
__device__ inline void MaskProbe(const ProbeArguments& p, int32_t key, int32_t first_row,
                                 float (&scores)[32]) {
  if (key >= 0 && key + kProbeGroup - 1 <= first_row) return;
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int n = 0; n < 32; ++n) {
    const int32_t at = key + lane / 4 + 8 * (n / 2 % 2);
    const int32_t row = first_row + n / 4 * 8 + lane % 4 * 2 + n % 2;
    if (at < 0 || at > row || at >= p.tokens) scores[n] = -INFINITY;
  }
}

template <int kHeadSize, class Pass>
__global__ void __launch_bounds__(kProbeThreads, 1)
    ProbeKernel(const __grid_constant__ ProbeArguments p) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  using S = ProbeShared<kHeadSize>;
  constexpr int kPanels = S::kPanels, kTile = S::kTileBytes;
  extern __shared__ unsigned char memory[];
  const uint32_t base = (SharedAddress(memory) + 1023) & ~1023u;
  const uint32_t tiles = base + S::kTilesAt, barriers = base + S::kBarriersAt;
  const auto full = [&](int i) { return barriers + 8 * i; };
  const auto empty = [&](int i) { return barriers + 8 * (kProbeStages + i); };
  const uint32_t q_full = barriers + 16 * kProbeStages;

  const auto slice = static_cast<int32_t>(blockIdx.x);
  const int32_t kv_head = blockIdx.y / p.plan.head_parts, part = blockIdx.y % p.plan.head_parts;
  const int32_t first_of_part = part * p.plan.heads_of_part;
  const int32_t heads = min(p.plan.heads_of_part, p.group - first_of_part);
  const int32_t first_head = kv_head * p.group + first_of_part;
  if (threadIdx.x == 0) {
    BarrierInit(q_full, 1);
    for (int i = 0; i < kProbeStages; ++i) {
      BarrierInit(full(i), 1);
      BarrierInit(empty(i), 4 * heads);
    }
    BarrierInitFence();
  }
  __syncthreads();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (warp >= 4 * kProbeHeads) {
    GiveRegisters<kProbeLoadRegisters>();
    if (warp > 4 * kProbeHeads || lane != 0) return;
    BarrierArriveExpect(q_full, heads * kTile);
    for (int h = 0; h < heads; ++h) {
      for (int panel = 0; panel < kPanels; ++panel) {
        CopyBox(base + h * kTile + panel * S::kRows * 128, &p.q_map, q_full, panel * 64, 0,
                first_head + h);
      }
    }
    for (int32_t i = 0; i < p.plan.groups; ++i) {
      const int stage = i % kProbeStages;
      BarrierWait(empty(stage), (i / kProbeStages & 1) ^ 1);
      BarrierArriveExpect(full(stage), kTile);
      for (int panel = 0; panel < kPanels; ++panel) {
        for (int w = 0; w < kProbeWarps; ++w) {
          CopyBox(tiles + stage * kTile + (panel * S::kRows + w * kProbeGroup) * 128, &p.k_map,
                  full(stage), panel * 64, RunBegin(p.plan, slice, w) + i * kProbeGroup, kv_head);
        }
      }
    }
    return;
  }
  TakeRegisters<kProbeRegisters>();
  const int of_part = warp / 4, quarter = warp % 4;
  if (of_part >= heads) return;
  const int32_t head = first_head + of_part;
  const int32_t first_row = p.tokens - p.rows;
  const int32_t first_key = RunBegin(p.plan, slice, quarter);
  Pass pass(p, head, lane);
  const uint64_t q = OperandAt(base + of_part * kTile, 16);
  // Starts the scores of the warpgroup's next 64 keys.
  RingPlace<kProbeStages> next, oldest;
  const auto start = [&](float (&scores)[32]) {
    BarrierWait(full(next.slot()), next.parity());
    const uint64_t k = OperandAt(tiles + next.slot() * kTile, 16);
    Pin(scores);
    WgmmaFence();
#pragma unroll
    for (int step = 0; step < kHeadSize / 16; ++step) {
      // Of 16 bytes, as the operands' addresses.
      const uint32_t at = (step / 4 * S::kRows * 128 + step % 4 * 32) / 16;
      Wgmma<64>::Shared(scores, k + at, q + at, step > 0);
    }
    WgmmaCommit();
    next.Advance();
  };
  int32_t done = 0;
  // Takes the oldest scores that were started, once they are there.
  const auto take = [&](float (&scores)[32]) {
    Pin(scores);
    __syncwarp();
    if (lane == 0) BarrierArrive(empty(oldest.slot()));
    oldest.Advance();
    const int32_t key = first_key + done * kProbeGroup;
    MaskProbe(p, key, first_row, scores);
    pass.Take(p, scores, key, head);
    ++done;
  };
  BarrierWait(q_full, 0);
  const int32_t groups = p.plan.groups;
  if constexpr (!Pass::kTwoGroups) {
    float scores[32];
    while (done < groups) {
      start(scores);
      WgmmaWait<0>();
      take(scores);
    }
  } else {
    float even[32], odd[32];
    start(even);
    while (done + 2 < groups) {
      start(odd);
      WgmmaWait<1>();
      take(even);
      start(even);
      WgmmaWait<1>();
      take(odd);
    }
    if (done + 1 < groups) {
      start(odd);
      WgmmaWait<1>();
      take(even);
      WgmmaWait<0>();
      take(odd);
    } else {
      WgmmaWait<0>();
      take(even);
    }
  }
  const int32_t key = first_key + done * kProbeGroup;
  pass.Finish(p, slice * kProbeWarps + quarter, head, key);
#endif
}

}  // namespace longsight::cuda

// What a warp of AttentionDecode does with 16 rows of its own and a tile: scores, mask, online
// softmax, values, and the result's way out.
#pragma once

#include <cmath>

#include "cuda/attention_tiles.cuh"
#include "cuda/step.cuh"

namespace longsight::cuda {

inline constexpr float kLog2E = 1.4426950408889634f;
inline constexpr float kLn2 = 0.6931471805599453f;

struct DecodeArgs {
  const Bf16* q;
  int64_t q_row_stride;
  int64_t rows;
  int heads, kv_heads, head_size, group;
  int64_t first_position, window;
  const int64_t* step;
  float scale_log2;
  int64_t kv_row_stride, kv_head_stride;
  int64_t row_tiles, splits;
  // `parts`, and `lse` in them, for AttentionMerge, a stride from split to split; or null, and
  // there is one split: out and lse are the result.
  Bf16* out;
  int64_t out_row_stride;
  float* parts;
  float* lse;
  int64_t part_stride;
  RunTable table;
};

// One warp's 16 rows: thread (g, t) = (lane / 4, lane % 4) has rows g and g + 8, and of every eight
// columns 2 t and 2 t + 1.
template <int HeadSize>
struct WarpRows {
  float out[HeadSize / 8][4];
  float most[2], sum[2];  // the sums of the thread's columns only
};
using TileScores = float[kTileKeys / 8][4];

// Which token and head the stacked row `packed` of this KV head is.
static __device__ __forceinline__ int64_t TokenOf(const DecodeArgs& a, int64_t packed) {
  return packed / a.group;
}

template <int HeadSize>
static __device__ __forceinline__ void LoadQuery(const DecodeArgs& a, int kv_head,
                                                 int64_t first_row,
                                                 uint32_t (&q)[HeadSize / 16][4]) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t packed = first_row + g + 8 * half;
    const int64_t token = TokenOf(a, packed);
    const bool valid = token < a.rows;
    const int head = kv_head * a.group + static_cast<int>(packed % a.group);
    const Bf16* row = a.q + (valid ? token * a.q_row_stride + head * a.head_size : 0);
#pragma unroll
    for (int k = 0; k < HeadSize / 16; ++k) {
#pragma unroll
      for (int right = 0; right < 2; ++right) {
        const int column = 16 * k + 8 * right + 2 * t;
        q[k][2 * right + half] =
            valid && column < a.head_size ? *reinterpret_cast<const uint32_t*>(row + column) : 0;
      }
    }
  }
}

// scores[16, kTileKeys] = q * k^T.
template <int HeadSize>
static __device__ __forceinline__ void Scores(const uint32_t (&q)[HeadSize / 16][4], const Bf16* k,
                                              TileScores& scores) {
  const int lane = threadIdx.x % 32;
  const Bf16* from =
      k + (lane / 16 * 8 + lane % 8) * TileShape<HeadSize>::kStride + lane / 8 % 2 * 8;
#pragma unroll
  for (int n = 0; n < kTileKeys / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) scores[n][i] = 0;
  }
#pragma unroll
  for (int step = 0; step < HeadSize / 16; ++step) {
#pragma unroll
    for (int n = 0; n < kTileKeys / 16; ++n) {
      uint32_t b[4];
      LoadMatrices(b, from + 16 * n * TileShape<HeadSize>::kStride + 16 * step);
      MultiplyBf16(scores[2 * n], q[step], b[0], b[1]);
      MultiplyBf16(scores[2 * n + 1], q[step], b[2], b[3]);
    }
  }
}

static __device__ __forceinline__ void Mask(const DecodeArgs& a, const KeyTile& tile,
                                            int64_t first_position, int64_t first_row,
                                            TileScores& scores) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    // Relative to the tile's first key; small by the walk's choice, but for a window's far end.
    const int64_t row =
        first_position + TokenOf(a, first_row + g + 8 * half) - tile.position(a.table);
    const int64_t oldest = a.window > 0 ? row - a.window : -1;
#pragma unroll
    for (int n = 0; n < kTileKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int key = 8 * n + 2 * t + i;
        const bool seen = key < tile.keys && key <= row && key > oldest;
        if (!seen) scores[n][2 * half + i] = -INFINITY;
      }
    }
  }
}

// The online softmax: scores become weights, and what was summed before is scaled down.
template <int HeadSize>
static __device__ __forceinline__ void Soften(const DecodeArgs& a, WarpRows<HeadSize>& rows,
                                              TileScores& scores) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float most = rows.most[half];
#pragma unroll
    for (int n = 0; n < kTileKeys / 8; ++n) {
      most = fmaxf(most, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
    }
    most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFu, most, 1));
    most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFu, most, 2));
    // A row that has seen no key yet: -inf - -inf would be NaN.
    const float base = most == -INFINITY ? 0.0f : most * a.scale_log2;
    const float keep = exp2f(rows.most[half] * a.scale_log2 - base);
    rows.most[half] = most;
    float sum = 0;
#pragma unroll
    for (int n = 0; n < kTileKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float weight = exp2f(scores[n][2 * half + i] * a.scale_log2 - base);
        scores[n][2 * half + i] = weight;
        sum += weight;
      }
    }
    rows.sum[half] = rows.sum[half] * keep + sum;
#pragma unroll
    for (int d = 0; d < HeadSize / 8; ++d) {
      rows.out[d][2 * half] *= keep;
      rows.out[d][2 * half + 1] *= keep;
    }
  }
}

// Every column by the scale of its key.
static __device__ __forceinline__ void ScaleColumns(const float* scales, TileScores& columns) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int n = 0; n < kTileKeys / 8; ++n) {
    const float2 scale = *reinterpret_cast<const float2*>(scales + 8 * n + 2 * t);
    columns[n][0] *= scale.x;
    columns[n][1] *= scale.y;
    columns[n][2] *= scale.x;
    columns[n][3] *= scale.y;
  }
}

// out += weights * v.
template <int HeadSize>
static __device__ __forceinline__ void AddValues(const TileScores& weights, const Bf16* v,
                                                 WarpRows<HeadSize>& rows) {
  const int lane = threadIdx.x % 32;
  const Bf16* from =
      v + (lane / 8 % 2 * 8 + lane % 8) * TileShape<HeadSize>::kStride + lane / 16 * 8;
#pragma unroll
  for (int step = 0; step < kTileKeys / 16; ++step) {
    const float (&left)[4] = weights[2 * step];
    const float (&right)[4] = weights[2 * step + 1];
    const uint32_t a[4] = {PackBf16(left[0], left[1]), PackBf16(left[2], left[3]),
                           PackBf16(right[0], right[1]), PackBf16(right[2], right[3])};
#pragma unroll
    for (int d = 0; d < HeadSize / 16; ++d) {
      uint32_t b[4];
      LoadMatricesTransposed(b, from + 16 * step * TileShape<HeadSize>::kStride + 16 * d);
      MultiplyBf16(rows.out[2 * d], a, b[0], b[1]);
      MultiplyBf16(rows.out[2 * d + 1], a, b[2], b[3]);
    }
  }
}

// `most`: in units of log 2.
static __device__ __forceinline__ float NaturalLse(float most, float sum) {
  return sum > 0 ? most * kLn2 + logf(sum) : -INFINITY;
}

// Two neighbouring columns of a finished row.
static __device__ __forceinline__ void Write(const DecodeArgs& a, int kv_head, int64_t split,
                                             int64_t packed, int column, float x, float y) {
  const int64_t token = TokenOf(a, packed);
  if (token >= a.rows || column >= a.head_size) return;
  const int head = kv_head * a.group + static_cast<int>(packed % a.group);
  if (a.parts == nullptr) {
    Bf16* out = a.out + token * a.out_row_stride + head * a.head_size + column;
    *reinterpret_cast<uint32_t*>(out) = PackBf16(x, y);
  } else {
    float* out = a.parts + split * a.part_stride + (token * a.heads + head) * a.head_size + column;
    *reinterpret_cast<float2*>(out) = make_float2(x, y);
  }
}

static __device__ __forceinline__ void WriteLse(const DecodeArgs& a, int kv_head, int64_t split,
                                                int64_t packed, float lse) {
  const int64_t token = TokenOf(a, packed);
  if (token >= a.rows) return;
  const int head = kv_head * a.group + static_cast<int>(packed % a.group);
  a.lse[split * a.part_stride + token * a.heads + head] = lse;
}

template <int HeadSize>
static __device__ void WriteRows(const DecodeArgs& a, int kv_head, int64_t split, int64_t first_row,
                                 const WarpRows<HeadSize>& rows) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t packed = first_row + g + 8 * half;
    float sum = rows.sum[half];
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
    const float factor = sum > 0 ? 1 / sum : 0.0f;
#pragma unroll
    for (int d = 0; d < HeadSize / 8; ++d) {
      Write(a, kv_head, split, packed, 8 * d + 2 * t, rows.out[d][2 * half] * factor,
            rows.out[d][2 * half + 1] * factor);
    }
    const float lse = NaturalLse(rows.most[half] * a.scale_log2, sum);
    if (t == 0) WriteLse(a, kv_head, split, packed, lse);
  }
}

}  // namespace longsight::cuda

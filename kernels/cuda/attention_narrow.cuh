// What a warp of AttentionDecode does with keys and values in e4m3 when they are too few rows' to
// be worth widening in shared memory: straight into the tensor cores' operands, as f16, which holds
// every e4m3 number. The order of a product's inner dimension is free, so a lane takes bytes that
// lie together: of a key the quarter t, of a value the eighth g, with g and t as in mma.sync.
#pragma once

#include "cuda/attention_rows.cuh"

namespace longsight::cuda {

// The low or the high two numbers of a word, as f16.
static __device__ __forceinline__ uint32_t WidenPair(uint32_t word, int high) {
  const auto pair = static_cast<__nv_fp8x2_storage_t>(word >> 16 * high);
  const __half2_raw wide = __nv_cvt_fp8x2_to_halfraw2(pair, __NV_E4M3);
  return static_cast<uint32_t>(wide.x) | static_cast<uint32_t>(wide.y) << 16;
}

static __device__ __forceinline__ uint32_t PackF16(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// As LoadQuery, in f16, and in the order in which a lane reads keys.
template <int HeadSize>
static __device__ __forceinline__ void LoadNarrowQuery(const DecodeArgs& a, int kv_head,
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
        const int column = HeadSize / 4 * t + 4 * k + 2 * right;
        const bool in = valid && column < a.head_size;
        q[k][2 * right + half] = in ? PackF16(ToFloat(row[column]), ToFloat(row[column + 1])) : 0;
      }
    }
  }
}

// scores[16, Keys] = q * k^T for the keys from `first_key` of the tile, without their scales.
template <int HeadSize, int Keys>
static __device__ __forceinline__ void NarrowScores(const uint32_t (&q)[HeadSize / 16][4],
                                                    const uint8_t* k, int first_key,
                                                    float (&scores)[Keys / 8][4]) {
  constexpr int kChunks = HeadSize / 64;  // of a lane
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int n = 0; n < Keys / 8; ++n) {
    const int key = first_key + 8 * n + g;
#pragma unroll
    for (int i = 0; i < 4; ++i) scores[n][i] = 0;
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      const int chunk = NarrowChunk<HeadSize>(key, kChunks * t + i);
      const uint4 bits = *reinterpret_cast<const uint4*>(k + key * HeadSize + 16 * chunk);
      const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        MultiplyF16(scores[n], q[4 * i + w], WidenPair(words[w], 0), WidenPair(words[w], 1));
      }
    }
  }
}

// The bytes of a value that are lane g's: as many words as HeadSize / 32.
template <int HeadSize>
static __device__ __forceinline__ void LoadNarrowValue(const uint8_t* v, int key, int g,
                                                       uint32_t (&words)[HeadSize / 32]) {
  if constexpr (HeadSize == 128) {
    const uint4 bits =
        *reinterpret_cast<const uint4*>(v + key * HeadSize + 16 * NarrowChunk<HeadSize>(key, g));
    words[0] = bits.x, words[1] = bits.y, words[2] = bits.z, words[3] = bits.w;
  } else {
    const uint2 bits = *reinterpret_cast<const uint2*>(
        v + key * HeadSize + 16 * NarrowChunk<HeadSize>(key, g / 2) + g % 2 * 8);
    words[0] = bits.x, words[1] = bits.y;
  }
}

// out += weights * v, for weights that carry the values' scales. Of a tile, out[j] is the columns
// 2 t and 2 t + 1 of a product whose column n is the element HeadSize / 8 n + j.
template <int HeadSize, int Keys>
static __device__ __forceinline__ void AddNarrowValues(const float (&weights)[Keys / 8][4],
                                                       const uint8_t* v, int first_key,
                                                       WarpRows<HeadSize>& rows) {
  constexpr int kWords = HeadSize / 32;
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int step = 0; step < Keys / 16; ++step) {
    const float (&left)[4] = weights[2 * step];
    const float (&right)[4] = weights[2 * step + 1];
    const uint32_t a[4] = {PackF16(left[0], left[1]), PackF16(left[2], left[3]),
                           PackF16(right[0], right[1]), PackF16(right[2], right[3])};
    const int key = first_key + 16 * step + 2 * t;
    uint32_t of_key[4][kWords];  // of 2 t, 2 t + 1, 2 t + 8, 2 t + 9
#pragma unroll
    for (int i = 0; i < 4; ++i) LoadNarrowValue<HeadSize>(v, key + i % 2 + i / 2 * 8, g, of_key[i]);
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
#pragma unroll
      for (int high = 0; high < 2; ++high) {
        // The numbers 2 high and 2 high + 1 of both keys' words, side by side.
        const uint32_t order = high == 0 ? 0x5140 : 0x7362;
        const uint32_t first = __byte_perm(of_key[0][w], of_key[1][w], order);
        const uint32_t second = __byte_perm(of_key[2][w], of_key[3][w], order);
        const int j = 4 * w + 2 * high;
        MultiplyF16(rows.out[j], a, WidenPair(first, 0), WidenPair(second, 0));
        MultiplyF16(rows.out[j + 1], a, WidenPair(first, 1), WidenPair(second, 1));
      }
    }
  }
}

// f16 reaches no further than 65,504 and holds little below 2^-14, so weights carry their values'
// scales as shares of the largest one so far: `unit`, by which the sums are multiplied in the end.
// `scales`: of the tile's values from the warp's first key on.
template <int HeadSize, int Keys>
static __device__ __forceinline__ void RaiseUnit(const float* scales, float& unit,
                                                 WarpRows<HeadSize>& rows) {
  static_assert(Keys == 16);
  float most = scales[threadIdx.x % Keys];
#pragma unroll
  for (int other = Keys / 2; other > 0; other /= 2) {
    most = fmaxf(most, __shfl_xor_sync(0xFFFFFFFFu, most, other));
  }
  // A little more is well within range.
  if (most <= 16 * unit) return;
  const float shrink = unit / most;
#pragma unroll
  for (int d = 0; d < HeadSize / 8; ++d) {
#pragma unroll
    for (int i = 0; i < 4; ++i) rows.out[d][i] *= shrink;
  }
  unit = most;
}

}  // namespace longsight::cuda

// What a warp of decode attention does with few stacked rows: keys down and rows across, so that 8
// rows fill a product's 8 columns. A warp brings its own 16 keys of every tile and needs no barrier
// with the others. The order of a product's inner dimension is free, and so is that of a result's
// rows: of a key a lane takes the quarter t as its operands, of a value the eighth g, with
// g = lane / 4 and t = lane % 4; so bytes that lie together are read together, and e4m3, which f16
// holds exactly, is widened on the way from shared memory to the tensor cores.
#pragma once

#include "cuda/attention_rows.cuh"
#include "cuda/e4m3.cuh"

namespace longsight::cuda {

inline constexpr int kFewKeys = 16;    // of a tile, for one warp
inline constexpr int kFewColumns = 8;  // stacked rows of a product
static_assert(kFewKeys * kAttentionThreads / 32 == kTileKeys);

// How much of so many bytes is read at once.
static constexpr int PieceOf(int bytes) { return bytes % 16 == 0 ? 16 : bytes % 8 == 0 ? 8 : 4; }

template <int HeadSize, bool Fp8>
struct FewShape {
  static constexpr int kElement = Fp8 ? 1 : 2;
  static constexpr int kRowBytes = HeadSize * kElement;  // of a key or a value
  static constexpr int kChunks = kRowBytes / 16;
  // Of a key and of a value, for one lane.
  static constexpr int kKeyBytes = kRowBytes / 4, kKeyPiece = PieceOf(kKeyBytes);
  static constexpr int kValueBytes = kRowBytes / 8, kValuePiece = PieceOf(kValueBytes);
  // A warp's part of a stage: 16 keys, 16 values, a word with the scale of each.
  static constexpr int kValuesAt = kFewKeys * kRowBytes;
  static constexpr int kScalesAt = 2 * kValuesAt;
  static constexpr int kWarpBytes = kScalesAt + (Fp8 ? 2 * kFewKeys * 4 : 0);
  static constexpr int kStages = Fp8 ? 2 : 3;
  static constexpr int kWarps = kAttentionThreads / 32;
  static constexpr int kBytes = kStages * kWarps * kWarpBytes;

  // Where chunk `chunk` of 16 bytes of row `row` lies: so that the lanes that read at one time, the
  // quarters of two keys or two eighths of four values, find theirs in different banks.
  static __device__ int ChunkAt(int row, int chunk) {
    int at = chunk;
    if constexpr (kChunks == 4) at ^= row >> 1 & 3;
    if constexpr (kChunks == 8) at ^= row & 7;
    if constexpr (kChunks == 16) at ^= chunk >> 3 ^ (row & 1) << 1 ^ (row >> 1 & 1) ^ (row & 4);
    return row * kRowBytes + at * 16;
  }
  static __device__ int ByteAt(int row, int byte) { return ChunkAt(row, byte / 16) + byte % 16; }
};

template <int Bytes>
static __device__ __forceinline__ void ReadPiece(const uint8_t* from, uint32_t* words) {
  if constexpr (Bytes == 16) {
    const uint4 bits = *reinterpret_cast<const uint4*>(from);
    words[0] = bits.x, words[1] = bits.y, words[2] = bits.z, words[3] = bits.w;
  } else if constexpr (Bytes == 8) {
    const uint2 bits = *reinterpret_cast<const uint2*>(from);
    words[0] = bits.x, words[1] = bits.y;
  } else {
    words[0] = *reinterpret_cast<const uint32_t*>(from);
  }
}

template <bool Fp8>
static __device__ __forceinline__ uint32_t PackOperand(float low, float high) {
  if constexpr (!Fp8) return PackBf16(low, high);
  const __half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

template <bool Fp8>
static __device__ __forceinline__ void MultiplyOperands(float (&c)[4], const uint32_t (&a)[4],
                                                        uint32_t b0, uint32_t b1) {
  if constexpr (Fp8) {
    MultiplyF16(c, a, b0, b1);
  } else {
    MultiplyBf16(c, a, b0, b1);
  }
}

// The lane's column and the two of its results: lane g's query of a tile is row 8 * tile + g, and
// results are of the rows 8 * tile + 2 t and the next.
template <int Tiles>
struct FewRows {
  int token[Tiles][2];
  float most[Tiles][2], sum[Tiles][2];  // in units of log 2; the sums of the lane's keys only
};

// q[s] is the operand of inner step s, 16 elements of the head.
template <int HeadSize, bool Fp8, int Tiles>
static __device__ __forceinline__ void LoadFewQueries(const DecodeArgs& a, int kv_head,
                                                      int64_t first_row,
                                                      uint32_t (&q)[Tiles][HeadSize / 16][2]) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
    const int64_t packed = first_row + kFewColumns * tile + g;
    const int64_t token = TokenOf(a, packed);
    const int head = kv_head * a.group + static_cast<int>(packed % a.group);
    const Bf16* row = a.q + (token < a.rows ? token * a.q_row_stride + head * a.head_size : 0);
#pragma unroll
    for (int s = 0; s < HeadSize / 16; ++s) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int column = HeadSize / 4 * t + 4 * s + 2 * i;
        const bool in = token < a.rows && column < a.head_size;
        const uint32_t pair = in ? *reinterpret_cast<const uint32_t*>(row + column) : 0;
        q[tile][s][i] = !Fp8 ? pair
                             : PackOperand<true>(__uint_as_float(pair << 16),
                                                 __uint_as_float(pair & 0xFFFF0000u));
      }
    }
  }
}

// Asks for the warp's keys and values of a tile from `first_key` on; what lies beyond the tile's
// keys or the head becomes zero, since 0 * NaN is not 0.
template <int HeadSize, bool Fp8>
static __device__ __forceinline__ void LoadFew(uint8_t* stage, const DecodeArgs& a,
                                               const KeyTile& tile, int first_key,
                                               int64_t head_offset) {
  using Shape = FewShape<HeadSize, Fp8>;
  const int lane = threadIdx.x % 32;
  const CachedRun& run = a.table.runs[tile.run];
  const int64_t first =
      ((tile.token() + first_key) * a.kv_row_stride + head_offset) * Shape::kElement;
  const auto* const k = static_cast<const uint8_t*>(run.k) + first;
  const auto* const v = static_cast<const uint8_t*>(run.v) + first;
  const int stride = static_cast<int>(a.kv_row_stride) * Shape::kElement;
#pragma unroll
  for (int i = 0; i < kFewKeys * Shape::kChunks / 32; ++i) {
    const int row = (32 * i + lane) / Shape::kChunks, chunk = (32 * i + lane) % Shape::kChunks;
    const bool in = first_key + row < tile.keys && 16 * chunk < a.head_size * Shape::kElement;
    const int from = row * stride + 16 * chunk, to = Shape::ChunkAt(row, chunk);
    CopyAsync16(stage + to, k + from, in);
    CopyAsync16(stage + Shape::kValuesAt + to, v + from, in);
  }
}

// Which of the warp's scales lie in the high half of their word: every other one where the number
// of KV heads is odd.
static __device__ __forceinline__ int ScaleHalf(const DecodeArgs& a, int key, int kv_head) {
  return (key * a.kv_heads + kv_head) & 1;
}

// Asks for the words with the scales of the warp's keys (lanes up to kFewKeys) and values.
static __device__ __forceinline__ void LoadFewScales(uint8_t* scales, const DecodeArgs& a,
                                                     const KeyTile& tile, int first_key,
                                                     int kv_head) {
  const int lane = threadIdx.x % 32, key = lane % kFewKeys;
  const CachedRun& run = a.table.runs[tile.run];
  const auto* const from = static_cast<const Bf16*>(lane < kFewKeys ? run.k_scales : run.v_scales);
  // The token of a warp's first key is even. Half a word where the other half may be beyond the
  // scales.
  const int high = ScaleHalf(a, key, kv_head);
  const int64_t at = (tile.token() + first_key + key) * a.kv_heads + kv_head - high;
  const int bytes = first_key + key >= tile.keys ? 0 : 2 + 2 * high;
  CopyAsync4(scales + 4 * lane, from + at, bytes);
}

// Of key number `key` of the warp's, or of value number `key` - kFewKeys.
static __device__ __forceinline__ float FewScale(const uint8_t* scales, int key, int high) {
  const uint32_t word = reinterpret_cast<const uint32_t*>(scales)[key];
  return __uint_as_float(high != 0 ? word & 0xFFFF0000u : word << 16);
}

// scores[tile][2 h + i]: of key g + 8 h and row 2 t + i, without scales.
template <int HeadSize, bool Fp8, int Tiles>
static __device__ __forceinline__ void FewScores(const uint32_t (&q)[Tiles][HeadSize / 16][2],
                                                 const uint8_t* stage, float (&scores)[Tiles][4]) {
  using Shape = FewShape<HeadSize, Fp8>;
  constexpr int kSteps = Shape::kKeyPiece / Shape::kElement / 4;  // of a piece
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  // Two sums, so that half of the products need not wait for the others.
  float odd[Tiles][4];
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) scores[tile][i] = odd[tile][i] = 0;
  }
#pragma unroll
  for (int i = 0; i < Shape::kKeyBytes / Shape::kKeyPiece; ++i) {
    uint32_t words[2][4];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int byte = Shape::kKeyBytes * t + Shape::kKeyPiece * i;
      ReadPiece<Shape::kKeyPiece>(stage + Shape::ByteAt(g + 8 * half, byte), words[half]);
    }
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      uint32_t k[4];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        k[half] = Fp8 ? WidenPair(words[half][s], 0) : words[half][2 * s];
        k[2 + half] = Fp8 ? WidenPair(words[half][s], 1) : words[half][2 * s + 1];
      }
      const int step = i * kSteps + s;
#pragma unroll
      for (int tile = 0; tile < Tiles; ++tile) {
        MultiplyOperands<Fp8>(step % 2 == 0 ? scores[tile] : odd[tile], k, q[tile][step][0],
                              q[tile][step][1]);
      }
    }
  }
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) scores[tile][i] += odd[tile][i];
  }
}

template <int Tiles>
static __device__ __forceinline__ void MaskFew(const DecodeArgs& a, const FewRows<Tiles>& rows,
                                               const KeyTile& tile, int64_t first_position,
                                               int first_key, float (&scores)[Tiles][4]) {
  const int g = threadIdx.x % 32 / 4;
#pragma unroll
  for (int n = 0; n < Tiles; ++n) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      // Relative to the tile's first key.
      const int64_t row = first_position + rows.token[n][i] - tile.position(a.table);
      const int64_t oldest = a.window > 0 ? row - a.window : -1;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int key = first_key + g + 8 * half;
        const bool seen = key < tile.keys && key <= row && key > oldest;
        if (!seen) scores[n][2 * half + i] = -INFINITY;
      }
    }
  }
}

// out[tile][m]: of the value's elements 2 m (first two) and 2 m + 1 of the lane's, and the rows
// 2 t and 2 t + 1.
template <int HeadSize, int Tiles>
static __device__ __forceinline__ void ScaleFew(float (&out)[Tiles][HeadSize / 16][4], int tile,
                                                float even, float odd) {
#pragma unroll
  for (int m = 0; m < HeadSize / 16; ++m) {
    out[tile][m][0] *= even;
    out[tile][m][1] *= odd;
    out[tile][m][2] *= even;
    out[tile][m][3] *= odd;
  }
}

// The largest of the lanes of equal t.
static __device__ __forceinline__ float MostOfColumn(float x) {
#pragma unroll
  for (int distance = 4; distance < 32; distance *= 2) {
    x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, distance));
  }
  return x;
}

// The online softmax: scores, in units of log 2, become weights. The largest score seldom grows.
template <int HeadSize, int Tiles>
static __device__ __forceinline__ void SoftenFew(FewRows<Tiles>& rows,
                                                 float (&out)[Tiles][HeadSize / 16][4],
                                                 float (&scores)[Tiles][4]) {
  bool higher = false;
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) higher |= scores[tile][i] > rows.most[tile][i % 2];
  }
  if (__any_sync(0xFFFFFFFFu, higher)) {
#pragma unroll
    for (int tile = 0; tile < Tiles; ++tile) {
      float keep[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& most = rows.most[tile][i];
        const float now = MostOfColumn(fmaxf(most, fmaxf(scores[tile][i], scores[tile][2 + i])));
        // A row that has seen no key yet: -inf - -inf would be NaN.
        keep[i] = now == -INFINITY ? 1.0f : exp2f(most - now);
        rows.sum[tile][i] *= keep[i];
        most = now;
      }
      ScaleFew<HeadSize, Tiles>(out, tile, keep[0], keep[1]);
    }
  }
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float most = rows.most[tile][i % 2];
      scores[tile][i] = exp2f(scores[tile][i] - (most == -INFINITY ? 0.0f : most));
      rows.sum[tile][i % 2] += scores[tile][i];
    }
  }
}

// f16 reaches no further than 65,504 and holds little below 2^-14, so weights carry their values'
// scales as shares of the largest one so far, `unit`: the sums are multiplied by it in the end.
// `scales`: of the lane's two values.
template <int HeadSize, int Tiles>
static __device__ __forceinline__ void RaiseUnit(const float (&scales)[2], float& unit,
                                                 float (&out)[Tiles][HeadSize / 16][4]) {
  // A little more is well within range.
  const float larger = fmaxf(scales[0], scales[1]);
  if (!__any_sync(0xFFFFFFFFu, larger > 16 * unit)) return;
  const float most = MostOfColumn(larger);
  const float shrink = unit / most;
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
    ScaleFew<HeadSize, Tiles>(out, tile, shrink, shrink);
  }
  unit = most;
}

// out += values * weights.
template <int HeadSize, bool Fp8, int Tiles>
static __device__ __forceinline__ void AddFewValues(const float (&weights)[Tiles][4],
                                                    const uint8_t* stage,
                                                    float (&out)[Tiles][HeadSize / 16][4]) {
  using Shape = FewShape<HeadSize, Fp8>;
  constexpr int kWords = Shape::kValueBytes / 4;
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  uint32_t b[Tiles][2];  // keys down: as the product takes them
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      b[tile][half] =
          Transpose(PackOperand<Fp8>(weights[tile][2 * half], weights[tile][2 * half + 1]));
    }
  }
  uint32_t words[4][kWords];
#pragma unroll
  for (int n = 0; n < 4; ++n) {
#pragma unroll
    for (int w = 0; w < kWords; w += Shape::kValuePiece / 4) {
      const int at = Shape::ByteAt(2 * t + n % 2 + n / 2 * 8, Shape::kValueBytes * g + 4 * w);
      ReadPiece<Shape::kValuePiece>(stage + Shape::kValuesAt + at, words[n] + w);
    }
  }
  // Of two keys' words the same elements side by side.
#pragma unroll
  for (int w = 0; w < kWords; ++w) {
    if constexpr (Fp8) {
#pragma unroll
      for (int high = 0; high < 2; ++high) {
        const uint32_t order = high == 0 ? 0x5140 : 0x7362;
        const uint32_t first = __byte_perm(words[0][w], words[1][w], order);
        const uint32_t second = __byte_perm(words[2][w], words[3][w], order);
        const uint32_t v[4] = {WidenPair(first, 0), WidenPair(first, 1), WidenPair(second, 0),
                               WidenPair(second, 1)};
#pragma unroll
        for (int tile = 0; tile < Tiles; ++tile) {
          MultiplyF16(out[tile][2 * w + high], v, b[tile][0], b[tile][1]);
        }
      }
    } else {
      const uint32_t v[4] = {__byte_perm(words[0][w], words[1][w], 0x5410),
                             __byte_perm(words[0][w], words[1][w], 0x7632),
                             __byte_perm(words[2][w], words[3][w], 0x5410),
                             __byte_perm(words[2][w], words[3][w], 0x7632)};
#pragma unroll
      for (int tile = 0; tile < Tiles; ++tile) {
        MultiplyBf16(out[tile][w], v, b[tile][0], b[tile][1]);
      }
    }
  }
}

}  // namespace longsight::cuda

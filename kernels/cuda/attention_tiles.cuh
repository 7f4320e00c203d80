// Which tiles of cached keys a block of AttentionDecode goes through, and how they get into shared
// memory. Tiles are counted over all runs, from each run's own first token.
#pragma once

#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/mma.cuh"

namespace longsight::cuda {

inline constexpr int kTileKeys = 64;
inline constexpr int kAttentionThreads = 128;
// Runs of one launch; more take several, merged.
inline constexpr int kMaxRuns = 16;

struct RunTable {
  CachedRun runs[kMaxRuns];
  int first_tile[kMaxRuns + 1];
  int count;
};

// The rows of a block, by the positions of the first and the last of them.
struct Sight {
  int64_t first_row, last_row;
  int64_t window;  // 0: none

  // Keys up to here are seen by none; those up to the other one by not all.
  __device__ int64_t too_old() const { return window > 0 ? first_row - window : -1; }
  __device__ int64_t too_old_for_some() const { return window > 0 ? last_row - window : -1; }
};

// Small, since some are held in registers: tile number `index` of a run.
struct KeyTile {
  int run, index, keys;

  __device__ int64_t token() const { return static_cast<int64_t>(index) * kTileKeys; }
  __device__ int64_t position(const RunTable& table) const {
    return table.runs[run].first_position + token();
  }
};

// Visible tiles from `tile` to `end`, in order.
struct TileWalk {
  int tile, end, run;
};

static __device__ __forceinline__ bool NextTile(const RunTable& table, const Sight& sight,
                                                TileWalk& walk, KeyTile& tile) {
  while (walk.tile < walk.end) {
    while (walk.tile >= table.first_tile[walk.run + 1]) ++walk.run;
    const KvRun& run = table.runs[walk.run];
    const int index = walk.tile - table.first_tile[walk.run];
    const int64_t token = static_cast<int64_t>(index) * kTileKeys;
    const int64_t position = run.first_position + token;
    if (position > sight.last_row) return false;  // and so are all that follow
    ++walk.tile;
    const int64_t left = run.tokens - token, seen = sight.last_row + 1 - position;
    const int64_t most = left < seen ? left : seen;
    const int keys = static_cast<int>(most < kTileKeys ? most : kTileKeys);
    if (position + keys - 1 <= sight.too_old()) continue;
    tile = {walk.run, index, keys};
    return true;
  }
  return false;
}

// Shared memory of a tile: rows padded by 16 bytes, so that the eight rows of an ldmatrix lie in
// different banks.
template <int HeadSize>
struct TileShape {
  static constexpr int kStride = HeadSize + 8;
  static constexpr int kElements = kTileKeys * kStride;
};

// A block's tiles in shared memory: two stages of K and V; of e4m3 as they are stored, beside one
// of K and V in bf16, and 64 and 64 scales.
template <int HeadSize, bool Fp8>
struct TileMemory {
  static constexpr int kTile = TileShape<HeadSize>::kElements;
  static constexpr int kStageElements = kTile;
  static constexpr int kBytes = 4 * kTile * static_cast<int>(sizeof(Bf16));

  static __device__ Bf16* Stage(void* memory, int stage) { return Keys(memory, stage); }
  static __device__ Bf16* Keys(void* memory, int stage) {
    return static_cast<Bf16*>(memory) + 2 * stage * kTile;
  }
  static __device__ Bf16* Values(void* memory, int stage) { return Keys(memory, stage) + kTile; }
};
template <int HeadSize>
struct TileMemory<HeadSize, true> {
  static constexpr int kTile = TileShape<HeadSize>::kElements;
  static constexpr int kStageElements = kTileKeys * HeadSize;
  static constexpr int kWide = 2 * kTile * static_cast<int>(sizeof(Bf16));
  static constexpr int kScales = kAttentionThreads * static_cast<int>(sizeof(float));
  static constexpr int kBytes = kWide + kScales + 4 * kStageElements;

  static __device__ uint8_t* Stage(void* memory, int stage) {
    return static_cast<uint8_t*>(memory) + kWide + kScales + 2 * stage * kStageElements;
  }
  static __device__ Bf16* Keys(void* memory, int) { return static_cast<Bf16*>(memory); }
  static __device__ Bf16* Values(void* memory, int) { return static_cast<Bf16*>(memory) + kTile; }
  static __device__ float* Scales(void* memory) {
    return reinterpret_cast<float*>(static_cast<uint8_t*>(memory) + kWide);
  }
};

// K and V of a tile, from `head_offset` on in every row; what lies beyond its keys or the head
// becomes zero, since 0 * NaN is not 0. Element: 2 bytes for bf16, in padded rows; 1 for e4m3, in
// rows of HeadSize.
template <int HeadSize, class Element>
static __device__ __forceinline__ void LoadTile(Element* k, Element* v, const CachedRun& run,
                                                const KeyTile& tile, int64_t head_offset,
                                                int64_t row_stride, int head_size) {
  constexpr int kStep = 16 / static_cast<int>(sizeof(Element));
  constexpr int kVectors = HeadSize / kStep;
  constexpr int kStride = sizeof(Element) == 2 ? TileShape<HeadSize>::kStride : HeadSize;
  const int64_t first = tile.token() * row_stride + head_offset;
#pragma unroll
  for (int i = 0; i < kTileKeys * kVectors / kAttentionThreads; ++i) {
    const int index = i * kAttentionThreads + threadIdx.x;
    const int key = index / kVectors, column = index % kVectors * kStep;
    const bool valid = key < tile.keys && column < head_size;
    const int64_t from = valid ? first + key * row_stride + column : 0;
    const int to = key * kStride + column;
    CopyAsync16(k + to, static_cast<const Element*>(run.k) + from, valid);
    CopyAsync16(v + to, static_cast<const Element*>(run.v) + from, valid);
  }
}

// The scale of one key (threads up to kTileKeys) or value (the others) of a tile.
static __device__ __forceinline__ float LoadScale(const CachedRun& run, const KeyTile& tile,
                                                  int kv_head, int kv_heads) {
  const int key = threadIdx.x % kTileKeys;
  if (key >= tile.keys) return 0;
  const void* scales = threadIdx.x < kTileKeys ? run.k_scales : run.v_scales;
  return ToFloat(static_cast<const Bf16*>(scales)[(tile.token() + key) * kv_heads + kv_head]);
}

// e4m3 rows of HeadSize, without their scales, to padded rows of bf16: exact.
template <int HeadSize>
static __device__ __forceinline__ void WidenTile(const uint8_t* from, Bf16* to) {
  constexpr int kVectors = HeadSize / 16;
#pragma unroll
  for (int i = 0; i < kTileKeys * kVectors / kAttentionThreads; ++i) {
    const int index = i * kAttentionThreads + threadIdx.x;
    const uint4 bits = reinterpret_cast<const uint4*>(from)[index];
    Bf16* row = to + index / kVectors * TileShape<HeadSize>::kStride + index % kVectors * 16;
    float x[8];
    UnpackE4M3(bits.x, x);
    UnpackE4M3(bits.y, x + 4);
    Store8(row, x);
    UnpackE4M3(bits.z, x);
    UnpackE4M3(bits.w, x + 4);
    Store8(row + 8, x);
  }
}

}  // namespace longsight::cuda

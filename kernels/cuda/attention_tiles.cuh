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
  KvRun runs[kMaxRuns];
  int64_t first_tile[kMaxRuns + 1];
  int count;
};

// What the rows of a block see: keys in (oldest, newest], and all of them those in
// (oldest_for_all, newest_for_all].
struct Sight {
  int64_t oldest, newest;
  int64_t oldest_for_all, newest_for_all;
};

struct KeyTile {
  const Bf16* k;  // of the tile's first key, this block's KV head
  const Bf16* v;
  int64_t position;  // of the first key
  int keys;
};

// Visible tiles from `tile` to `end`, in order.
struct TileWalk {
  int64_t tile, end;
  int run;
};

static __device__ __forceinline__ bool NextTile(const RunTable& table, const Sight& sight,
                                                int64_t head_offset, int64_t row_stride,
                                                TileWalk& walk, KeyTile& tile) {
  while (walk.tile < walk.end) {
    while (walk.tile >= table.first_tile[walk.run + 1]) ++walk.run;
    const KvRun& run = table.runs[walk.run];
    const int64_t token = (walk.tile - table.first_tile[walk.run]) * kTileKeys;
    const int64_t position = run.first_position + token;
    if (position > sight.newest) return false;  // and so are all that follow
    ++walk.tile;
    const int64_t left = run.tokens - token;
    const int keys = static_cast<int>(left < kTileKeys ? left : kTileKeys);
    if (position + keys - 1 <= sight.oldest) continue;
    const int64_t at = token * row_stride + head_offset;
    tile = {static_cast<const Bf16*>(run.k) + at, static_cast<const Bf16*>(run.v) + at, position,
            keys};
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

// K and V of a tile; what lies beyond its keys or the head becomes zero, since 0 * NaN is not 0.
template <int HeadSize>
static __device__ __forceinline__ void LoadTile(Bf16* k, Bf16* v, const KeyTile& tile,
                                                int64_t row_stride, int head_size) {
  constexpr int kVectors = HeadSize / 8;
#pragma unroll
  for (int i = 0; i < kTileKeys * kVectors / kAttentionThreads; ++i) {
    const int index = i * kAttentionThreads + threadIdx.x;
    const int key = index / kVectors, column = index % kVectors * 8;
    const bool valid = key < tile.keys && column < head_size;
    const int64_t from = valid ? key * row_stride + column : 0;
    const int to = key * TileShape<HeadSize>::kStride + column;
    CopyAsync16(k + to, tile.k + from, valid);
    CopyAsync16(v + to, tile.v + from, valid);
  }
}

}  // namespace longsight::cuda

// How prefill attention is cut up: row blocks, tiles of keys, where elements lie in shared memory,
// and which task is done when. Functions for host and device.
#pragma once

#include <cstdint>

#include "index/host_device.h"

namespace longsight::cuda {

using index::DivideUp;
using index::Least;
using index::Most;

// Rows of a row block: 64 to each of two warpgroups.
inline constexpr int kBlockRows = 128;
// A panel is a run of rows of 128 bytes: 64 elements of a head.
inline constexpr int kPanelElements = 64;
inline constexpr int kPanelRowBytes = 128;

// Where 16-byte chunk `chunk` of row `row` lies in a tile of `rows` rows: panels one after the
// other, each row's 8 chunks permuted by its number within 8 rows (the 128-byte swizzle of the copy
// engine and of wgmma).
static LONGSIGHT_HD inline int SwizzledOffset(int row, int chunk, int rows) {
  const int panel = chunk / 8, within = chunk % 8;
  return (panel * rows + row) * kPanelRowBytes + ((within ^ (row & 7)) * 16);
}

// Keys [begin, end) of a run that a row block sees, from the run's first token on.
struct KeySpan {
  int32_t begin;
  int32_t end;
};

// `first_row`, `rows`: the row block's first position relative to the run's first token, which may
// be negative, and its rows. The first key is that of its first row.
static LONGSIGHT_HD inline KeySpan SeenKeys(int64_t first_row, int64_t rows, int64_t window,
                                            int64_t tokens) {
  const int64_t end = Least(first_row + rows, tokens);
  const int64_t begin = window > 0 ? Most(0, first_row - window + 1) : 0;
  return {static_cast<int32_t>(begin), static_cast<int32_t>(Most(begin, end))};
}

// Tiles go down from the span's end, so that those with a causal mask come first; the last may
// begin before the span.
static LONGSIGHT_HD inline int TileCount(KeySpan span, int tile_keys) {
  return static_cast<int>(DivideUp(span.end - span.begin, tile_keys));
}
static LONGSIGHT_HD inline int32_t TileBegin(KeySpan span, int tile_keys, int tile) {
  return static_cast<int32_t>(span.end - static_cast<int64_t>(tile + 1) * tile_keys);
}

// Which of a tile's keys a row sees: numbers [low, high] within the tile.
struct TileMask {
  int32_t low;
  int32_t high;
};
static LONGSIGHT_HD inline TileMask MaskOfRow(int32_t tile_begin, int64_t row, int64_t window,
                                              KeySpan run) {
  int64_t low = run.begin, high = Least(row, run.end - 1);
  if (window > 0) low = Most(low, row - window + 1);
  return {static_cast<int32_t>(low - tile_begin), static_cast<int32_t>(high - tile_begin)};
}

struct Task {
  int32_t head;
  int32_t row_block;
};

// Dense: KV head by KV head, so that what runs at one time reads the same keys; in each the last
// rows, which see the most, come first.
static LONGSIGHT_HD inline Task DenseTask(int32_t number, int32_t row_blocks, int32_t group) {
  const int32_t of_kv_head = row_blocks * group;
  const int32_t kv_head = number / of_kv_head, rest = number % of_kv_head;
  return {kv_head * group + rest % group, row_blocks - 1 - rest / group};
}

// Sparse: the heads in their given order, of each the last rows first. Neighbouring row blocks of
// one head run at one time and share most of what they read.
static LONGSIGHT_HD inline Task SparseTask(int32_t number, int32_t row_blocks) {
  return {number / row_blocks, row_blocks - 1 - number % row_blocks};
}

// Shared memory of one CTA: offsets in bytes from a 1,024-byte boundary.
struct SharedPlan {
  int q;
  int k;      // [stages]
  int v;      // [stages]
  int lists;  // [kTileLists, kTileListKeys]: keys of the tiles to come
  int tail;   // notes and barriers
  int bytes;
  int tile_bytes;  // of K or V, per stage
};

// Sparse tiles are listed ahead, far enough for the slow stretches: a row block's loose columns.
inline constexpr int kTileLists = 32;
inline constexpr int kTileListKeys = 128;
inline constexpr int kRingKeys = kTileLists * kTileListKeys;
// What one warp loads of a tile.
inline constexpr int kHalfKeys = kTileListKeys / 2;
inline constexpr int kTailBytes = 2048;

static constexpr SharedPlan PlanShared(int head_size, int tile_keys, int stages, bool sparse) {
  const int panels = (head_size + kPanelElements - 1) / kPanelElements;
  SharedPlan plan{};
  plan.tile_bytes = panels * tile_keys * kPanelRowBytes;
  plan.q = 0;
  plan.k = panels * kBlockRows * kPanelRowBytes;
  plan.v = plan.k + stages * plan.tile_bytes;
  plan.lists = plan.v + stages * plan.tile_bytes;
  plan.tail = plan.lists + (sparse ? kRingKeys * 4 : 0);
  // The dynamic part begins on 16 bytes only.
  plan.bytes = plan.tail + kTailBytes + 1024;
  return plan;
}

}  // namespace longsight::cuda

// The sparse patterns of MInference (arXiv 2407.02490, section 3.1) and the lines that a head's
// rows see. Positions are absolute and 64-bit; an offset is query position - key position.
#pragma once

#include "host_device.h"

namespace longsight::index {

enum class PatternKind : uint8_t { kDense, kAShape, kVerticalSlash, kBlockSparse };

// What a head does in every chunk.
//   kAShape:        the first `a` keys and the last `b`.
//   kVerticalSlash: at most `a` columns and at most `b` slash offsets; the area budget beside them
//                   says how many of those.
//   kBlockSparse:   `a` blocks of kKeyBlock keys per row block.
struct HeadPattern {
  PatternKind kind;
  int64_t a;
  int64_t b;
  // The share of its attention that the head must keep on a chunk's probe rows; below it its budget
  // grows, up to dense. 0: whatever it keeps will do.
  double recall_floor = 0.95;
};

// What a head without an entry in a pattern file gets.
inline constexpr HeadPattern kDefaultPattern = {PatternKind::kVerticalSlash, 1000, 6096};

// Vertical-slash takes these in any case (the paper's kernel does, too).
inline constexpr int64_t kFirstColumns = 30;
inline constexpr int64_t kNearestOffsets = 100;
// Queries at the end of a chunk whose scores over all keys choose the lines.
inline constexpr int64_t kProbeRows = 64;
// Slash offsets are summed and taken in bands of so many.
inline constexpr int64_t kBandOffsets = 16;
// Keys of a block in the block-sparse pattern.
inline constexpr int64_t kKeyBlock = 64;

// Numbers [begin, end).
struct Range {
  int64_t begin;
  int64_t end;
};

// What the rows of one head see in one chunk, at any length a few thousand ranges. Both lists
// ascend, and their ranges neither overlap nor touch.
struct Lines {
  const Range* bands;  // slash offsets
  int64_t band_count;
  const Range* columns;  // key positions
  int64_t column_count;
};

// An A-shape as lines. bands and columns have room for one range each.
static LONGSIGHT_HD inline Lines AShapeLines(HeadPattern pattern, Range* bands, Range* columns) {
  bands[0] = {0, Most(1, pattern.b)};
  columns[0] = {0, pattern.a};
  return {bands, 1, columns, pattern.a > 0 ? 1 : 0};
}

}  // namespace longsight::index

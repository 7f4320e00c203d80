// The keys that a block of rows attends to: its cover. A row block [row_begin, row_end) covers, for
// every band of offsets, all keys that any of its rows reaches through it: one contiguous range,
// not aligned to anything. Overlapping and touching ranges merge. A column counts where no range
// covers it and it lies left of the row block, so that columns never need a causal mask; ranges may
// reach past a row's own position (by less than the row block), and need one there.
//
// Walks keep their place in a few numbers: no memory, and every thread or warp can start its own.
#pragma once

#include "pattern.h"

namespace longsight::index {

// The keys of one band; empty (end <= begin) when they would all lie before position 0.
static LONGSIGHT_HD inline Range BandKeys(Range band, int64_t row_begin, int64_t row_end) {
  return {Most(0, row_begin - band.end + 1), row_end - band.begin};
}

// The merged ranges of the bands, ascending.
struct BandWalk {
  const Range* bands;
  int64_t left;
  int64_t row_begin;
  int64_t row_end;
};

static LONGSIGHT_HD inline BandWalk StartBands(const Lines& lines, int64_t row_begin,
                                               int64_t row_end) {
  // Bands that begin before position 0 as a whole, by bisection: there may be thousands of them
  // near the context's start.
  int64_t low = 0, high = lines.band_count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (lines.bands[middle].begin < row_end) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {lines.bands, low, row_begin, row_end};
}

// False at the end.
static LONGSIGHT_HD inline bool NextRange(BandWalk& walk, Range* range) {
  if (walk.left == 0) return false;
  *range = BandKeys(walk.bands[--walk.left], walk.row_begin, walk.row_end);
  while (walk.left > 0) {
    const Range next = BandKeys(walk.bands[walk.left - 1], walk.row_begin, walk.row_end);
    if (next.begin > range->end) break;
    range->end = next.end;
    --walk.left;
  }
  return true;
}

// The columns that no range covers, as runs, ascending.
struct LooseWalk {
  BandWalk bands;
  Range range;
  bool has_range;
  const Range* columns;
  int64_t left;
  int64_t from;
};

static LONGSIGHT_HD inline LooseWalk StartLoose(const Lines& lines, int64_t row_begin,
                                                int64_t row_end) {
  LooseWalk walk = {
      StartBands(lines, row_begin, row_end), {0, 0}, false, lines.columns, lines.column_count, 0};
  walk.has_range = NextRange(walk.bands, &walk.range);
  return walk;
}

// False at the end.
static LONGSIGHT_HD inline bool NextLoose(LooseWalk& walk, Range* run) {
  while (walk.left > 0) {
    const int64_t begin = Most(walk.columns->begin, walk.from);
    const int64_t end = Least(walk.columns->end, walk.bands.row_begin);
    if (walk.columns->begin >= walk.bands.row_begin) return false;
    if (begin >= end) {
      ++walk.columns;
      --walk.left;
      continue;
    }
    while (walk.has_range && walk.range.end <= begin) {
      walk.has_range = NextRange(walk.bands, &walk.range);
    }
    if (!walk.has_range || walk.range.begin >= end) {
      *run = {begin, end};
      walk.from = end;
      return true;
    }
    walk.from = walk.range.end;
    if (walk.range.begin > begin) {
      *run = {begin, walk.range.begin};
      return true;
    }
  }
  return false;
}

// Ranges and loose columns together: merged runs, ascending.
struct CoverWalk {
  BandWalk bands;
  Range range;
  bool has_range;
  const Range* columns;
  int64_t left;
};

static LONGSIGHT_HD inline CoverWalk StartCover(const Lines& lines, int64_t row_begin,
                                                int64_t row_end) {
  CoverWalk walk = {
      StartBands(lines, row_begin, row_end), {0, 0}, false, lines.columns, lines.column_count};
  walk.has_range = NextRange(walk.bands, &walk.range);
  return walk;
}

static LONGSIGHT_HD inline bool HasColumn(const CoverWalk& walk) {
  return walk.left > 0 && walk.columns->begin < walk.bands.row_begin;
}

// False at the end.
static LONGSIGHT_HD inline bool NextCovered(CoverWalk& walk, Range* run) {
  *run = {-1, -1};
  for (;;) {
    const bool has_column = HasColumn(walk);
    if (!has_column && !walk.has_range) break;
    const bool take_column =
        has_column && (!walk.has_range || walk.columns->begin < walk.range.begin);
    const Range next =
        take_column ? Range{walk.columns->begin, Least(walk.columns->end, walk.bands.row_begin)}
                    : walk.range;
    if (run->begin < 0) {
      *run = next;
    } else if (next.begin <= run->end) {
      run->end = Most(run->end, next.end);
    } else {
      break;
    }
    if (take_column) {
      ++walk.columns;
      --walk.left;
    } else {
      walk.has_range = NextRange(walk.bands, &walk.range);
    }
  }
  return run->begin >= 0;
}

}  // namespace longsight::index

// A row block's cover, cut into pieces that need no merging: index/cover.h's set of keys, each key
// exactly once, and each piece found from one or two neighbouring bands, so that the lanes of a
// warp can each take their own. The row block's own keys, which need a causal mask, are left out:
// they are the first tile.
#pragma once

#include "attention.h"
#include "index/host_device.h"

namespace longsight::cuda {

// What one head keeps, positions absolute.
struct HeadCover {
  int32_t first_keys;
  int32_t column_count;
  int32_t band_count;
  const int32_t* columns;
  const Band* bands;
};

// Rows [begin, end), absolute positions.
struct RowSpan {
  int32_t begin;
  int32_t end;
};

// Keys [begin, end); empty when end <= begin.
struct Piece {
  int32_t begin;
  int32_t end;
};

static LONGSIGHT_HD inline int32_t Lesser(int32_t a, int32_t b) { return a < b ? a : b; }
static LONGSIGHT_HD inline int32_t Greater(int32_t a, int32_t b) { return a > b ? a : b; }

// Where the first keys end, for these rows.
static LONGSIGHT_HD inline int32_t FirstEnd(const HeadCover& head, RowSpan rows) {
  return Lesser(head.first_keys, rows.begin);
}

static LONGSIGHT_HD inline Piece FirstPiece(const HeadCover& head, RowSpan rows) {
  return {0, FirstEnd(head, rows)};
}

// Left of the rows themselves, what band 0 reaches.
static LONGSIGHT_HD inline Piece NearPiece(const HeadCover& head, RowSpan rows) {
  if (head.band_count == 0) return {rows.begin, rows.begin};
  return {Greater(FirstEnd(head, rows), rows.begin - head.bands[0].end + 1), rows.begin};
}

// Of band `i` >= 1, what no nearer band has. Bands ascend, and so the pieces descend.
static LONGSIGHT_HD inline Piece BandPiece(const HeadCover& head, RowSpan rows, int32_t i) {
  const Band band = head.bands[i];
  const int32_t nearer_begin = rows.begin - head.bands[i - 1].end + 1;
  return {Greater(FirstEnd(head, rows), rows.begin - band.end + 1),
          Lesser(rows.end - band.begin, nearer_begin)};
}

// From this band on, all lie before position 0.
static LONGSIGHT_HD inline bool BeforeStart(const HeadCover& head, RowSpan rows, int32_t i) {
  return head.bands[i].begin >= rows.end;
}

// Whether a column is one that no band covers, left of the rows.
static LONGSIGHT_HD inline bool IsLoose(const HeadCover& head, RowSpan rows, int32_t column) {
  if (column < head.first_keys || column >= rows.begin) return false;
  const int32_t nearest = rows.begin - column, past = rows.end - column;
  int32_t low = 0, high = head.band_count;
  while (low < high) {
    const int32_t middle = (low + high) / 2;
    if (head.bands[middle].begin < past) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low == 0 || head.bands[low - 1].end <= nearest;
}

}  // namespace longsight::cuda

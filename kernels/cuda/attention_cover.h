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

// Which columns lie left of the rows and in no band. Several at once, by bisections that go in
// step: their loads do not wait for each other.
template <int kCount>
static LONGSIGHT_HD inline void AreLoose(const HeadCover& head, RowSpan rows,
                                         const int32_t (&columns)[kCount], bool (&loose)[kCount]) {
  // Bands that begin at or before the column's furthest offset.
  int32_t before[kCount] = {};
  int32_t step = 1;
  while (step <= head.band_count / 2) step *= 2;
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
  for (; step > 0; step /= 2) {
    for (int i = 0; i < kCount; ++i) {
      const int32_t next = before[i] + step;
      if (next <= head.band_count && head.bands[next - 1].begin < rows.end - columns[i]) {
        before[i] = next;
      }
    }
  }
  for (int i = 0; i < kCount; ++i) {
    loose[i] = columns[i] >= head.first_keys && columns[i] < rows.begin &&
               (before[i] == 0 || head.bands[before[i] - 1].end <= rows.begin - columns[i]);
  }
}

}  // namespace longsight::cuda

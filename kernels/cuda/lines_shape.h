// How much a choice of lines covers and keeps, and where runs of bands begin and end: the parts of
// the choice that threads share out. Functions for host and device; `first`, `step` are a thread's.
#pragma once

#include "attention_cover.h"
#include "index/select.h"

namespace longsight::cuda {

// A thread's share of the keys that a row block covers; all threads' together are
// index::CoveredKeys.
static LONGSIGHT_HD inline int64_t CoveredShare(const HeadCover& head, RowSpan rows, int32_t first,
                                                int32_t step) {
  const auto length = [](Piece piece) {
    return static_cast<int64_t>(Greater(0, piece.end - piece.begin));
  };
  int64_t keys = 0;
  if (first == 0) {
    keys += rows.end - rows.begin + length(NearPiece(head, rows)) + length(FirstPiece(head, rows));
  }
  for (int32_t i = 1 + first; i < head.band_count; i += step) {
    keys += length(BandPiece(head, rows, i));
  }
  for (int32_t i = first; i < head.column_count; i += step) {
    const int32_t column[1] = {head.columns[i]};
    bool loose[1];
    AreLoose(head, rows, column, loose);
    keys += loose[0] ? 1 : 0;
  }
  return keys;
}

// A thread's share of the probe's attention on what the row block covers.
static LONGSIGHT_HD inline double KeptShare(const HeadCover& head, RowSpan rows,
                                            const float* column_sums, int32_t first, int32_t step) {
  double kept = 0;
  const auto add = [&](Piece piece) {
    for (int32_t key = piece.begin + first; key < piece.end; key += step) {
      kept += static_cast<double>(column_sums[key]);
    }
  };
  add({rows.begin, rows.end});
  add(NearPiece(head, rows));
  add(FirstPiece(head, rows));
  // A band's piece is short: a thread to each.
  for (int32_t i = 1 + first; i < head.band_count; i += step) {
    const Piece piece = BandPiece(head, rows, i);
    for (int32_t key = piece.begin; key < piece.end; ++key) {
      kept += static_cast<double>(column_sums[key]);
    }
  }
  for (int32_t i = first; i < head.column_count; i += step) {
    const int32_t column[1] = {head.columns[i]};
    bool loose[1];
    AreLoose(head, rows, column, loose);
    if (loose[0]) kept += static_cast<double>(column_sums[column[0]]);
  }
  return kept;
}

// The sampled row blocks of index::CoveredArea.
static LONGSIGHT_HD inline RowSpan SampledRows(int64_t first_row, int64_t rows, int64_t sample,
                                               int64_t samples) {
  const int64_t blocks = index::DivideUp(rows, kSparseRows);
  const int64_t block = (2 * sample + 1) * blocks / (2 * samples);
  const int64_t begin = first_row + block * kSparseRows;
  return {static_cast<int32_t>(begin),
          static_cast<int32_t>(index::Least(begin + kSparseRows, first_row + rows))};
}

// What a column that all probe rows attend to adds to the bands that it crosses: part `part` of up
// to five.
struct Crossing {
  int32_t band;
  int32_t offsets;  // 0: none
};
inline constexpr int32_t kCrossings = index::kProbeRows / index::kBandOffsets + 1;
static LONGSIGHT_HD inline Crossing CrossedBand(int64_t key, int64_t probe_begin,
                                                int64_t probe_rows, int32_t part) {
  const int64_t nearest = probe_begin - key, past = nearest + probe_rows;
  const int64_t band = nearest / index::kBandOffsets + part;
  const int64_t begin = index::Most(band * index::kBandOffsets, nearest);
  const int64_t end = index::Least((band + 1) * index::kBandOffsets, past);
  return {static_cast<int32_t>(band), static_cast<int32_t>(index::Most(0, end - begin))};
}

// Whether a candidate is taken, by its bin and its rank within the cut's bin: of columns the last
// ones, of bands the nearest.
static LONGSIGHT_HD inline bool ColumnTaken(int bin, int64_t rank, const index::Cut& cut,
                                            int64_t in_cut_bin) {
  return bin > cut.bin || (bin == cut.bin && rank >= in_cut_bin - cut.count);
}
static LONGSIGHT_HD inline bool BandTaken(int bin, int64_t rank, const index::Cut& cut) {
  return bin > cut.bin || (bin == cut.bin && rank < cut.count);
}

}  // namespace longsight::cuda

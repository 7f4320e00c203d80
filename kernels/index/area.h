// What a cover costs and what it keeps. Areas are query-key pairs that a kernel computes, masked
// ones included: what it pays for.
#pragma once

#include "cover.h"

namespace longsight::index {

// Keys that a row block covers.
static LONGSIGHT_HD inline int64_t CoveredKeys(const Lines& lines, int64_t row_begin,
                                               int64_t row_end) {
  CoverWalk walk = StartCover(lines, row_begin, row_end);
  int64_t keys = 0;
  for (Range run; NextCovered(walk, &run);) keys += run.end - run.begin;
  return keys;
}

// Query-key pairs of rows [first_row, first_row + rows) in blocks of `block_rows`; at most
// `samples` row blocks are looked at, evenly spaced, and stand for the others.
static LONGSIGHT_HD inline double CoveredArea(const Lines& lines, int64_t first_row, int64_t rows,
                                              int64_t block_rows, int64_t samples) {
  const int64_t blocks = DivideUp(rows, block_rows);
  const int64_t looked_at = Least(blocks, Most(1, samples));
  double pairs = 0, counted_rows = 0;
  for (int64_t i = 0; i < looked_at; ++i) {
    // The middle of each of `looked_at` equal parts.
    const int64_t block = (2 * i + 1) * blocks / (2 * looked_at);
    const int64_t begin = first_row + block * block_rows;
    const int64_t end = Least(begin + block_rows, first_row + rows);
    const double height = static_cast<double>(end - begin);
    pairs += height * static_cast<double>(CoveredKeys(lines, begin, end));
    counted_rows += height;
  }
  return counted_rows > 0 ? pairs * static_cast<double>(rows) / counted_rows : 0;
}

// Query-key pairs that the causal mask lets through.
static LONGSIGHT_HD inline double CausalArea(int64_t first_row, int64_t rows) {
  const double n = static_cast<double>(rows);
  return n * static_cast<double>(first_row) + n * (n + 1) / 2;
}

// The share of the probe rows' attention that lies on the cover of the row block [row_begin,
// row_end), which must hold all probe rows: the mean over them of exp(log-sum-exp of the kept
// scores - log-sum-exp of all). column_sums[row_end]: each key's attention summed over
// `probe_rows`.
static LONGSIGHT_HD inline double Recall(const Lines& lines, int64_t row_begin, int64_t row_end,
                                         const float* column_sums, int64_t probe_rows) {
  CoverWalk walk = StartCover(lines, row_begin, row_end);
  double kept = 0;
  for (Range run; NextCovered(walk, &run);) {
    // A run's sum in fp32 would lose the tail of a long one.
    for (int64_t key = run.begin; key < run.end; ++key) {
      kept += static_cast<double>(column_sums[key]);
    }
  }
  return kept / static_cast<double>(probe_rows);
}

}  // namespace longsight::index

// Which lines a head takes: by attention per key that the kernel will pay for, until the budget is
// spent. A column costs one key per row block; a band of slash offsets its own width and the height
// of the row block. Counting candidates by density in bins stands in for sorting millions of them:
// linear, the same on every device, and easy to split over threads.
#pragma once

#include "area.h"

namespace longsight::index {

// Bins of the density, five of whose mantissa bits count: 3 % each. Bin 0 is for nothing at all.
inline constexpr int kDensityBins = 1024;

// `density` is not negative.
static LONGSIGHT_HD inline int DensityBin(float density) {
  // From 2^-24 to 2^8: a probe's whole attention is 64, and what is below a billionth of that per
  // key is not worth a line.
  constexpr int64_t kLowest = (127 - 24) << 5;
  const auto digits = static_cast<int64_t>(__builtin_bit_cast(uint32_t, density) >> 18);
  return static_cast<int>(Within(digits - kLowest, 0, kDensityBins - 1));
}

// Attention of a band, summed over the probe rows, per key that it adds to a row block's cover.
static LONGSIGHT_HD inline float BandDensity(float band_sum, int64_t block_rows) {
  return band_sum / static_cast<float>(kBandOffsets + block_rows - 1);
}

// The choice of a chunk's lines, whatever device makes it. The first budget is a share of the
// context, and at least so many keys;
inline constexpr int64_t kBudgetShare = 16;
inline constexpr int64_t kLeastBudget = 1024;
// the next one, where that did not keep enough, is larger by this factor.
inline constexpr double kBudgetGrowth = 1.5;
// A cover of more than this share of the keys is not worth its index: the head is dense.
inline constexpr double kDenseFrom = 0.6;
// Row blocks that stand for all of a chunk when areas are summed.
inline constexpr int64_t kAreaSamples = 8;

static LONGSIGHT_HD inline int64_t FirstBudget(int64_t tokens) {
  return Most(kLeastBudget, tokens / kBudgetShare);
}

struct LineBudget {
  int64_t keys;     // covered keys per row block, at the chunk's end
  int64_t columns;  // at most so many columns,
  int64_t offsets;  // and so many slash offsets
  int64_t block_rows;
};

// Candidates: columns in [kFirstColumns, ColumnLimit), and bands past kNearestOffsets. A key that
// the probe rows reach through their nearest offsets is no candidate: its attention is local, and
// says nothing about the rows before.
static LONGSIGHT_HD inline int64_t ColumnLimit(int64_t probe_begin) {
  return Most(kFirstColumns, probe_begin - kNearestOffsets);
}
inline constexpr int64_t kFirstBand = kNearestOffsets / kBandOffsets;

// What is always in: the first columns and the nearest offsets.
static LONGSIGHT_HD inline int64_t AlwaysCovered(int64_t block_rows) {
  return kFirstColumns + kNearestOffsets + block_rows - 1;
}

// Everything in a bin above `bin` is taken, and `count` candidates of `bin` itself: of columns the
// last, of bands the nearest.
struct Cut {
  int bin;
  int64_t count;
};

struct LineCut {
  Cut columns;
  Cut bands;
};

// Both histograms have kDensityBins entries.
static LONGSIGHT_HD inline LineCut CutAtBudget(const int32_t* column_bins, const int32_t* band_bins,
                                               const LineBudget& budget) {
  const int64_t band_cost = kBandOffsets + budget.block_rows - 1;
  int64_t keys = Most(0, budget.keys - AlwaysCovered(budget.block_rows));
  int64_t columns = budget.columns;
  int64_t bands = budget.offsets / kBandOffsets;
  LineCut cut = {{kDensityBins, 0}, {kDensityBins, 0}};
  for (int bin = kDensityBins - 1; bin > 0; --bin) {
    if (column_bins[bin] == 0 && band_bins[bin] == 0) continue;
    const int64_t taken_bands = Least(Least(bands, keys / band_cost), band_bins[bin]);
    if (taken_bands > 0) cut.bands = {bin, taken_bands};
    bands -= taken_bands;
    keys -= taken_bands * band_cost;
    const int64_t taken_columns = Least(Least(columns, keys), column_bins[bin]);
    if (taken_columns > 0) cut.columns = {bin, taken_columns};
    columns -= taken_columns;
    keys -= taken_columns;
    // What is cut short ends its list: nothing thinner may come in its place.
    if (taken_bands < band_bins[bin]) bands = 0;
    if (taken_columns < column_bins[bin]) columns = 0;
    if (keys <= 0 || (bands <= 0 && columns <= 0)) break;
  }
  return cut;
}

// Appends [begin, end) to an ascending list, joining what touches. False when the list is full.
static LONGSIGHT_HD inline bool AppendRange(Range* list, int64_t* count, int64_t capacity,
                                            Range range) {
  if (*count > 0 && range.begin <= list[*count - 1].end) {
    list[*count - 1].end = Most(list[*count - 1].end, range.end);
    return true;
  }
  if (*count == capacity) return false;
  list[(*count)++] = range;
  return true;
}

// column_sums[limit]: each key's attention summed over the probe rows. `in_cut_bin`: how many
// candidates lie in the cut's bin. Returns the number of runs, or -1 when there are more than
// `capacity`.
static LONGSIGHT_HD inline int64_t CollectColumns(const float* column_sums, int64_t limit,
                                                  const Cut& cut, int64_t in_cut_bin, Range* runs,
                                                  int64_t capacity) {
  int64_t count = 0;
  if (!AppendRange(runs, &count, capacity, {0, kFirstColumns})) return -1;
  int64_t skip = in_cut_bin - cut.count;
  for (int64_t key = kFirstColumns; key < limit; ++key) {
    const int bin = DensityBin(column_sums[key]);
    if (bin < cut.bin || (bin == cut.bin && --skip >= 0)) continue;
    if (!AppendRange(runs, &count, capacity, {key, key + 1})) return -1;
  }
  return count;
}

// band_sums[band_count], as above.
static LONGSIGHT_HD inline int64_t CollectBands(const float* band_sums, int64_t band_count,
                                                const Cut& cut, int64_t block_rows, Range* bands,
                                                int64_t capacity) {
  int64_t count = 0;
  if (!AppendRange(bands, &count, capacity, {0, kNearestOffsets})) return -1;
  int64_t left = cut.count;
  for (int64_t band = kFirstBand; band < band_count; ++band) {
    const int bin = DensityBin(BandDensity(band_sums[band], block_rows));
    if (bin < cut.bin || (bin == cut.bin && --left < 0)) continue;
    const Range offsets = {band * kBandOffsets, (band + 1) * kBandOffsets};
    if (!AppendRange(bands, &count, capacity, offsets)) return -1;
  }
  return count;
}

// A column that all probe rows attend to shows up as kProbeRows short slashes. Takes the share of
// each column in a bin from `least_bin` up out of the bands that it crosses, evenly.
static LONGSIGHT_HD inline void ExplainBands(const float* column_sums, int64_t limit, int least_bin,
                                             int64_t probe_begin, int64_t probe_rows,
                                             float* band_sums) {
  for (int64_t key = kFirstColumns; key < limit; ++key) {
    if (DensityBin(column_sums[key]) < least_bin) continue;
    const float per_row = column_sums[key] / static_cast<float>(probe_rows);
    const int64_t nearest = probe_begin - key;
    for (int64_t offset = nearest; offset < nearest + probe_rows;) {
      const int64_t band = offset / kBandOffsets;
      const int64_t next = Least((band + 1) * kBandOffsets, nearest + probe_rows);
      const float rest = band_sums[band] - per_row * static_cast<float>(next - offset);
      band_sums[band] = rest > 0 ? rest : 0;
      offset = next;
    }
  }
}

}  // namespace longsight::index

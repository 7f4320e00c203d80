#include "engine/line_choice.h"

#include <algorithm>
#include <array>

#include "index/area.h"
#include "index/fill.h"
#include "index/select.h"

namespace longsight {
namespace {

using index::Range;

struct Histograms {
  std::array<int32_t, index::kDensityBins> columns{};
  std::array<int32_t, index::kDensityBins> bands{};
};

int64_t BandCount(int64_t tokens) { return index::DivideUp(tokens, index::kBandOffsets); }

Histograms CountDensities(const ProbeSums& probe, int64_t column_limit, int64_t block_rows) {
  Histograms counts;
  for (int64_t key = index::kFirstColumns; key < column_limit; ++key) {
    ++counts.columns[static_cast<size_t>(index::DensityBin(probe.columns[key]))];
  }
  for (int64_t band = index::kFirstBand; band < BandCount(probe.tokens); ++band) {
    const float density = index::BandDensity(probe.bands[band], block_rows);
    ++counts.bands[static_cast<size_t>(index::DensityBin(density))];
  }
  return counts;
}

void CollectLines(const ProbeSums& probe, int64_t column_limit, const Histograms& counts,
                  const index::LineBudget& budget, HeadChoice& choice) {
  const index::LineCut cut = index::CutAtBudget(counts.columns.data(), counts.bands.data(), budget);
  // No more runs than lines, and no more lines than keys in the budget.
  const int64_t capacity = std::min(budget.keys, probe.tokens) + 2;
  choice.columns.resize(static_cast<size_t>(capacity));
  choice.bands.resize(static_cast<size_t>(capacity / index::kBandOffsets + 2));
  const int64_t in_cut_bin = cut.columns.bin < index::kDensityBins
                                 ? counts.columns[static_cast<size_t>(cut.columns.bin)]
                                 : 0;
  const int64_t columns = index::CollectColumns(probe.columns, column_limit, cut.columns,
                                                in_cut_bin, choice.columns.data(), capacity);
  const int64_t bands =
      index::CollectBands(probe.bands, BandCount(probe.tokens), cut.bands, budget.block_rows,
                          choice.bands.data(), static_cast<int64_t>(choice.bands.size()));
  choice.columns.resize(static_cast<size_t>(std::max<int64_t>(0, columns)));
  choice.bands.resize(static_cast<size_t>(std::max<int64_t>(0, bands)));
}

double AreaOf(const HeadChoice& choice, const ChunkRows& chunk) {
  return index::CoveredArea(choice.lines(), chunk.first_position, chunk.rows, chunk.block_rows,
                            index::kAreaSamples);
}

double RecallOf(const HeadChoice& choice, const ChunkRows& chunk, const ProbeSums& probe) {
  const int64_t begin = std::max(chunk.first_position, chunk.tokens() - chunk.block_rows);
  return index::Recall(choice.lines(), begin, chunk.tokens(), probe.columns, probe.rows);
}

// Keys of the chunk's last row block.
int64_t KeysAtEnd(const HeadChoice& choice, const ChunkRows& chunk) {
  const int64_t begin = std::max(chunk.first_position, chunk.tokens() - chunk.block_rows);
  return index::CoveredKeys(choice.lines(), begin, chunk.tokens());
}

// Lines within the budget, as it was counted; or, to fill it, such that cover it, or as many as
// there are.
HeadChoice TakeLines(const ProbeSums& probe, int64_t column_limit, const Histograms& counts,
                     const index::LineBudget& budget, const index::AreaBudget& area,
                     const ChunkRows& chunk) {
  HeadChoice choice;
  choice.kind = index::PatternKind::kVerticalSlash;
  index::Fill fill = index::StartFill(area, budget.keys, probe.tokens);
  do {
    index::LineBudget counted = budget;
    counted.keys = fill.counted;
    CollectLines(probe, column_limit, counts, counted, choice);
  } while (index::ContinueFill(fill, KeysAtEnd(choice, chunk)));
  choice.pairs = AreaOf(choice, chunk);
  return choice;
}

HeadChoice ChooseAShape(index::HeadPattern pattern, const ChunkRows& chunk) {
  HeadChoice choice;
  choice.kind = index::PatternKind::kAShape;
  choice.bands.resize(1);
  choice.columns.resize(1);
  const index::Lines lines =
      index::AShapeLines(pattern, choice.bands.data(), choice.columns.data());
  choice.columns.resize(static_cast<size_t>(lines.column_count));
  choice.pairs = AreaOf(choice, chunk);
  return choice;
}

}  // namespace

HeadChoice ChooseDense(const ChunkRows& chunk) {
  HeadChoice choice;
  choice.pairs = index::CausalArea(chunk.first_position, chunk.rows);
  return choice;
}

HeadChoice ChooseBlocks(index::HeadPattern pattern, const ChunkRows& chunk) {
  const double keys = static_cast<double>(pattern.a * index::kKeyBlock);
  if (keys > index::kDenseFrom * static_cast<double>(chunk.tokens())) return ChooseDense(chunk);
  HeadChoice choice;
  choice.kind = index::PatternKind::kBlockSparse;
  choice.blocks = pattern.a;
  choice.pairs = std::min(keys * static_cast<double>(chunk.rows),
                          index::CausalArea(chunk.first_position, chunk.rows));
  return choice;
}

HeadChoice ChooseLines(index::HeadPattern pattern, const ChunkRows& chunk, const ProbeSums& probe,
                       double recall_floor, const index::AreaBudget& area) {
  const double dense_pairs = index::CausalArea(chunk.first_position, chunk.rows);
  double first_pairs = -1;
  if (pattern.kind == index::PatternKind::kAShape) {
    HeadChoice choice = ChooseAShape(pattern, chunk);
    if (choice.pairs > index::kDenseFrom * dense_pairs) return ChooseDense(chunk);
    if (recall_floor <= 0 || RecallOf(choice, chunk, probe) >= recall_floor) return choice;
    // What the shape cannot reach, lines can.
    first_pairs = choice.pairs;
    pattern = index::kDefaultPattern;
  }
  const int64_t column_limit = index::ColumnLimit(chunk.tokens() - probe.rows);
  // A column that every row attends to is no slash.
  index::ExplainBands(probe.columns, std::min(column_limit, probe.tokens), index::DensityBin(1.0f),
                      chunk.tokens() - probe.rows, probe.rows, probe.bands);
  const Histograms counts = CountDensities(probe, column_limit, chunk.block_rows);
  index::LineBudget budget = {index::KeysOf(area, chunk.tokens()), pattern.a, pattern.b,
                              chunk.block_rows};
  for (;;) {
    HeadChoice choice = TakeLines(probe, column_limit, counts, budget, area, chunk);
    if (first_pairs < 0) first_pairs = choice.pairs;
    const bool enough = recall_floor <= 0 || RecallOf(choice, chunk, probe) >= recall_floor;
    const bool too_many = choice.pairs > index::kDenseFrom * dense_pairs;
    if (enough && !too_many) {
      choice.guard_pairs = std::max(0.0, choice.pairs - first_pairs);
      return choice;
    }
    if (too_many || budget.keys >= probe.tokens) {
      HeadChoice dense = ChooseDense(chunk);
      if (!enough) dense.guard_pairs = std::max(0.0, dense.pairs - first_pairs);
      return dense;
    }
    // The pattern's numbers bound its own budget, not the guard's.
    budget.keys = static_cast<int64_t>(static_cast<double>(budget.keys) * index::kBudgetGrowth);
    budget.columns = budget.offsets = probe.tokens;
  }
}

}  // namespace longsight

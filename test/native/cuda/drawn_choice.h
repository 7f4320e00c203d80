// What a choice of lines starts from, drawn at random, and what the engine makes of block-sparse
// heads.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "attention_shapes.h"
#include "cuda/attention.h"
#include "engine/line_choice.h"

namespace longsight::test {

using index::PatternKind;

// Sums as a probe would leave them: a background, and some strong lines.
struct DrawnSums {
  std::vector<float> columns, bands;

  DrawnSums(Random& random, int64_t tokens, int64_t rows) {
    const int64_t band_count = index::DivideUp(tokens, index::kBandOffsets);
    const auto draw = [&](int64_t count) {
      std::vector<float> values = random.Floats(count, 1.0f);
      for (float& value : values) value = std::exp2(-10.0f + 6.0f * value);
      for (int64_t i = random.Integer(0, count / 50); i > 0; --i) {
        values[static_cast<size_t>(random.Integer(0, count - 1))] *= 100.0f;
      }
      return values;
    };
    columns = draw(tokens);
    bands = draw(band_count);
    // Neighbours, whose covers overlap: a budget that is filled takes many more of them than are
    // counted for. Where columns are alike, far too much then comes at once.
    if (random.Integer(0, 1) == 0) {
      const int64_t first = random.Integer(0, band_count - 1);
      const int64_t end = std::min(band_count, first + random.Integer(1, 1 + band_count / 3));
      std::fill(bands.begin() + first, bands.begin() + end, 40.0f);
    }
    if (random.Integer(0, 2) == 0) std::fill(columns.begin(), columns.end(), 0.01f);
    float sum = 0;
    for (const float value : columns) sum += value;
    for (float& value : columns) value *= static_cast<float>(rows) / sum;
    for (float& value : bands) value *= static_cast<float>(rows) / sum;
    // Columns that every row attends to.
    for (int64_t i = random.Integer(0, 4); i > 0; --i) {
      columns[static_cast<size_t>(random.Integer(0, tokens - 1))] = 2.5f;
    }
  }
};

inline constexpr int64_t kBlockCapacity = 40;

// The list of a chunk's last row block, as ChooseBlocks would leave it: any blocks below the row
// block's own, and after the end whatever was there.
inline std::vector<int32_t> DrawnBlocks(Random& random, int64_t first_position, int64_t rows) {
  const int64_t begin = first_position + (rows - 1) / cuda::kSparseRows * cuda::kSparseRows;
  std::vector<int32_t> list;
  for (int64_t block = 0; block < begin / index::kKeyBlock; ++block) {
    const bool full = static_cast<int64_t>(list.size()) == kBlockCapacity;
    if (!full && random.Integer(0, 5) == 0) list.push_back(static_cast<int32_t>(block));
  }
  if (static_cast<int64_t>(list.size()) < kBlockCapacity) list.push_back(-1);
  list.resize(kBlockCapacity, 3);
  return list;
}

// The share of the probe rows' attention on those blocks and on the last rows' own.
inline double RecallOf(const std::vector<int32_t>& blocks, const float* columns,
                       int64_t first_position, int64_t rows, int64_t probe_rows) {
  const int64_t tokens = first_position + rows;
  const int64_t last = std::max(first_position, tokens - cuda::kSparseRows);
  const int64_t own = last / index::kKeyBlock;
  double kept = 0;
  for (int64_t key = 0; key < tokens; ++key) {
    const int64_t block = key / index::kKeyBlock;
    bool in = block >= own;
    for (const int32_t listed : blocks) {
      if (listed < 0) break;
      in |= listed == block;
    }
    if (in) kept += static_cast<double>(columns[key]);
  }
  return kept / static_cast<double>(probe_rows);
}

// What the engine does with a block-sparse head (CpuBackend): lines where its blocks keep too
// little.
inline HeadChoice ChooseBlocksOrLines(const index::HeadPattern& pattern, const ChunkRows& chunk,
                                      const ProbeSums& probe, double floor,
                                      const index::AreaBudget& area, double recall) {
  HeadChoice choice = ChooseBlocks(pattern, chunk);
  if (floor <= 0 || choice.kind == PatternKind::kDense || recall >= floor) return choice;
  const double block_pairs = choice.pairs;
  choice = ChooseLines(index::kDefaultPattern, chunk, probe, floor, area);
  choice.guard_pairs = std::max(0.0, choice.pairs - block_pairs);
  return choice;
}

}  // namespace longsight::test

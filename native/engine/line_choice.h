// Which lines a head takes in a chunk: what its pattern says, and as much more as its recall needs.
#pragma once

#include <cstdint>
#include <vector>

#include "index/fill.h"
#include "index/pattern.h"

namespace longsight {

// The probe's sums for one head (kernels' Probe): attention of the last rows, summed per key and
// per band of offsets.
struct ProbeSums {
  const float* columns;  // [tokens]
  float* bands;          // [ceil(tokens / index::kBandOffsets)]; changed by the choice
  int64_t tokens;
  int64_t rows;
};

struct ChunkRows {
  int64_t first_position;
  int64_t rows;
  // Rows that share a cover.
  int64_t block_rows;

  int64_t tokens() const { return first_position + rows; }
};

// What one head attends to in a chunk. kDense when sparse would cost about as much.
struct HeadChoice {
  index::PatternKind kind = index::PatternKind::kDense;
  std::vector<index::Range> bands;
  std::vector<index::Range> columns;
  // Key blocks per row block, of kBlockSparse.
  int64_t blocks = 0;
  // Query-key pairs that the kernel computes, and those of them that the guard added.
  double pairs = 0;
  double guard_pairs = 0;

  index::Lines lines() const {
    return {bands.data(), static_cast<int64_t>(bands.size()), columns.data(),
            static_cast<int64_t>(columns.size())};
  }
};

// For a-shape and vertical-slash heads. Grows the budget until the probe rows keep `recall_floor`
// of their attention.
HeadChoice ChooseLines(index::HeadPattern pattern, const ChunkRows& chunk, const ProbeSums& probe,
                       double recall_floor, const index::AreaBudget& area = {});

// For block-sparse heads, which choose their blocks while they attend.
HeadChoice ChooseBlocks(index::HeadPattern pattern, const ChunkRows& chunk);

// Every key.
HeadChoice ChooseDense(const ChunkRows& chunk);

}  // namespace longsight

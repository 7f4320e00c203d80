// What the blocks of a block-sparse head keep, before it attends.
#pragma once

#include <cstdint>

#include "engine/line_choice.h"

namespace longsight {

// One query head of a chunk, and the means of its KV head's key blocks.
struct BlockScoring {
  const float* query;  // [rows], head_size each
  int64_t row_stride;
  int64_t head_size;
  const float* key_means;  // [ceil(tokens / index::kKeyBlock), head_size]
};

// The share of the probe rows' attention that lies on the `blocks` key blocks which the kernel
// would choose for the chunk's last row block.
double BlockRecall(const BlockScoring& scoring, int64_t blocks, const ChunkRows& chunk,
                   const ProbeSums& probe);

}  // namespace longsight

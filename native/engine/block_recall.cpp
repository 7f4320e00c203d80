#include "engine/block_recall.h"

#include <algorithm>
#include <vector>

#include "index/blocks.h"

namespace longsight {

double BlockRecall(const BlockScoring& scoring, int64_t blocks, const ChunkRows& chunk,
                   const ProbeSums& probe) {
  const int64_t begin = std::max(chunk.first_position, chunk.tokens() - chunk.block_rows);
  std::vector<float> sum(static_cast<size_t>(scoring.head_size));
  for (int64_t row = begin; row < chunk.tokens(); ++row) {
    const float* query = scoring.query + (row - chunk.first_position) * scoring.row_stride;
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += query[i];
  }
  const int64_t all = index::DivideUp(chunk.tokens(), index::kKeyBlock);
  std::vector<float> scores(static_cast<size_t>(all));
  const float* mean = scoring.key_means;
  for (float& score : scores) {
    for (const float value : sum) score += value * *mean++;
  }
  std::vector<int32_t> histogram(2048);
  const int64_t own = index::DivideUp(chunk.block_rows, index::kKeyBlock) + 1;
  std::vector<index::Range> keys(static_cast<size_t>(std::min(blocks, all) + 1 + own));
  const int64_t count = index::SelectBlocks(scores.data(), begin, chunk.tokens(), blocks,
                                            histogram.data(), keys.data());
  double kept = 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t key = keys[static_cast<size_t>(i)].begin; key < keys[static_cast<size_t>(i)].end;
         ++key) {
      kept += static_cast<double>(probe.columns[key]);
    }
  }
  return kept / static_cast<double>(probe.rows);
}

}  // namespace longsight

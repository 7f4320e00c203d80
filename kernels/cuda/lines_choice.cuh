// What the choice of lines is given, and what the threads of a head's CTA share while they choose.
#pragma once

#include "attention.h"
#include "index/fill.h"
#include "lines_collect.cuh"

namespace longsight::cuda {

inline constexpr int kMostHeads = 256;
// Columns that every probe row attends to: the sums of all come to 64, and these are 1 at least.
inline constexpr int kMostExplained = 128;

struct PatternOfHead {
  int32_t kind, a, b;
  double recall_floor;
};

struct ChooseArguments {
  PatternOfHead patterns[kMostHeads];
  int32_t heads, tokens, probe_rows, band_count;
  int64_t first_position, rows;
  index::AreaBudget area;
  const float* columns;
  float* bands;
  Lines lines;
  HeadReport* reports;
};

struct ChoiceScratch {
  int32_t column_bins[index::kDensityBins];
  int32_t band_bins[index::kDensityBins];
  WarpCounts counts;
  int32_t found[kMostExplained];
  int32_t explained[kMostExplained];
  Crossing crossings[kMostExplained * kCrossings];
  int32_t found_count;
  index::LineBudget budget;
  index::Fill fill;
  index::LineCut cut;
  bool goes_on;
  double partial[kLineWarps];
};

// The sum over the CTA, the same to every thread and in every run.
__device__ inline double SumOfAll(double value, ChoiceScratch& s) {
  for (int other = 16; other > 0; other /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, other);
  }
  if (threadIdx.x % 32 == 0) s.partial[threadIdx.x / 32] = value;
  __syncthreads();
  double sum = 0;
  for (int w = 0; w < kLineWarps; ++w) sum += s.partial[w];
  __syncthreads();
  return sum;
}

// This thread's share of the attention on the key blocks in `list` and on the rows' own keys, the
// last ones. What follows the list's end, a number below 0 or its capacity, was never written.
__device__ __noinline__ inline double KeptByBlocks(const int32_t* list, int32_t capacity,
                                                   RowSpan rows, const float* sums) {
  constexpr auto kBlock = static_cast<int32_t>(index::kKeyBlock);
  static_assert(kLineWarps == 32, "a warp to each of the blocks that its lanes load");
  const int32_t warp = static_cast<int32_t>(threadIdx.x) / 32, lane = threadIdx.x % 32;
  const int32_t own = rows.begin / kBlock * kBlock;
  double kept = 0;
  uint32_t ends = 0;
  for (int32_t first = 0; first < capacity && ends == 0; first += 32) {
    const int32_t listed = first + lane < capacity ? list[first + lane] : -1;
    ends = __ballot_sync(0xffffffffu, listed < 0);
    const int32_t block = __shfl_sync(0xffffffffu, listed, warp);
    // Not past the end, the lowest bit that is set.
    if ((ends & ((2u << warp) - 1)) != 0) continue;
    const int32_t end = Lesser((block + 1) * kBlock, own);
    for (int32_t key = block * kBlock + lane; key < end; key += 32) {
      kept += static_cast<double>(sums[key]);
    }
  }
  for (int32_t key = own + static_cast<int32_t>(threadIdx.x); key < rows.end; key += kLineThreads) {
    kept += static_cast<double>(sums[key]);
  }
  return kept;
}

}  // namespace longsight::cuda

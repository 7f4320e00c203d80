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
  double own_pairs;
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
                                                   RowSpan rows, const float* sums, int32_t thread,
                                                   int32_t& shared_count) {
  constexpr auto kBlock = static_cast<int32_t>(index::kKeyBlock);
  if (thread == 0) shared_count = capacity;
  __syncthreads();
  for (int32_t i = thread; i < capacity; i += kLineThreads) {
    if (list[i] < 0) atomicMin(&shared_count, i);
  }
  __syncthreads();
  const int32_t own = rows.begin / kBlock * kBlock;
  double kept = 0;
  for (int32_t i = thread / 32; i < shared_count; i += kLineWarps) {
    const int32_t end = Lesser((list[i] + 1) * kBlock, own);
    for (int32_t key = list[i] * kBlock + thread % 32; key < end; key += 32) {
      kept += static_cast<double>(sums[key]);
    }
  }
  for (int32_t key = own + thread; key < rows.end; key += kLineThreads) {
    kept += static_cast<double>(sums[key]);
  }
  return kept;
}

}  // namespace longsight::cuda

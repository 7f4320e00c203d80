// Lists of what was chosen, in ascending order, by the 32 warps of a CTA: each counts its share of
// the candidates, then writes where the shares before it end.
#pragma once

#include "lines_shape.h"

namespace longsight::cuda {

inline constexpr int kLineWarps = 32;
inline constexpr int kLineThreads = 32 * kLineWarps;

struct WarpCounts {
  int32_t above[kLineWarps];   // candidates above the cut's bin; then list entries before the warp
  int32_t within[kLineWarps];  // those in it; then those before the warp
};

__device__ inline uint32_t LanesBefore() { return (1u << (threadIdx.x % 32)) - 1; }

// Keys or bands [begin, end) of this warp's share.
struct Share {
  int32_t begin;
  int32_t end;
};
__device__ inline Share ShareOf(int32_t begin, int32_t end) {
  const int32_t warp = threadIdx.x / 32;
  const int32_t each = (end - begin + kLineThreads - 1) / kLineThreads * 32;
  const int32_t from = Lesser(begin + warp * each, end);
  return {from, Lesser(from + each, end)};
}

// The bins of this lane's candidates in kStepsAtOnce steps of 32 from `i` on: loads that do not
// wait for each other.
inline constexpr int kStepsAtOnce = 4;
template <class BinOf>
__device__ void LoadBins(int32_t i, int32_t end, int (&bins)[kStepsAtOnce], BinOf bin_of) {
#pragma unroll
  for (int j = 0; j < kStepsAtOnce; ++j) {
    const int32_t at = i + j * 32 + static_cast<int32_t>(threadIdx.x % 32);
    bins[j] = at < end ? bin_of(at) : -1;
  }
}

// bin_of(i) of the candidates of this warp's share. Fills `counts`.
template <class BinOf>
__device__ void CountShares(Share share, int cut_bin, WarpCounts& counts, BinOf bin_of) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int32_t above = 0, within = 0;
  for (int32_t i = share.begin; i < share.end; i += 32 * kStepsAtOnce) {
    int bins[kStepsAtOnce];
    LoadBins(i, share.end, bins, bin_of);
#pragma unroll
    for (int j = 0; j < kStepsAtOnce; ++j) {
      above += bins[j] > cut_bin ? 1 : 0;
      within += bins[j] == cut_bin ? 1 : 0;
    }
  }
  above = __reduce_add_sync(0xffffffffu, above);
  within = __reduce_add_sync(0xffffffffu, within);
  if (lane == 0) {
    counts.above[warp] = above;
    counts.within[warp] = within;
  }
  __syncthreads();
}

// Columns above and in the cut, to `list`. Returns their number.
__device__ inline int32_t CollectColumns(const float* sums, int32_t limit, const index::Cut& cut,
                                         int32_t in_cut_bin, int32_t* list, WarpCounts& counts) {
  if (cut.bin >= index::kDensityBins) return 0;
  const auto bin_of = [&](int32_t key) { return index::DensityBin(sums[key]); };
  const Share share = ShareOf(static_cast<int32_t>(index::kFirstColumns), limit);
  CountShares(share, cut.bin, counts, bin_of);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const auto skip = static_cast<int32_t>(in_cut_bin - cut.count);
  // What the warps before this one list, and all together.
  int32_t rank = 0, at = 0, total = 0, all_within = 0;
  for (int w = 0; w < kLineWarps; ++w) {
    if (w < warp) {
      at += counts.above[w];
      rank += counts.within[w];
    }
    total += counts.above[w];
    all_within += counts.within[w];
  }
  at += Greater(0, rank - skip);
  for (int32_t i = share.begin; i < share.end; i += 32 * kStepsAtOnce) {
    int bins[kStepsAtOnce];
    LoadBins(i, share.end, bins, bin_of);
#pragma unroll
    for (int j = 0; j < kStepsAtOnce; ++j) {
      const int bin = bins[j];
      const uint32_t equal = __ballot_sync(0xffffffffu, bin == cut.bin);
      const bool taken =
          bin >= 0 && ColumnTaken(bin, rank + __popc(equal & LanesBefore()), cut, in_cut_bin);
      const uint32_t vote = __ballot_sync(0xffffffffu, taken);
      const int32_t to = at + __popc(vote & LanesBefore());
      if (taken) list[to] = i + j * 32 + lane;
      at += __popc(vote);
      rank += __popc(equal);
    }
  }
  __syncthreads();
  return total + Greater(0, all_within - skip);
}

// The nearest offsets, then the bands above and in the cut, as runs. Returns their number.
__device__ inline int32_t CollectBands(const float* sums, int32_t band_count, const index::Cut& cut,
                                       Band* list, WarpCounts& counts) {
  constexpr auto kFirst = static_cast<int32_t>(index::kFirstBand);
  constexpr auto kWidth = static_cast<int32_t>(index::kBandOffsets);
  constexpr auto kNearest = static_cast<int32_t>(index::kNearestOffsets);
  if (threadIdx.x == 0) list[0] = {0, kNearest};
  __syncthreads();
  if (cut.bin >= index::kDensityBins || band_count <= kFirst) return 1;
  const auto bin_of = [&](int32_t band) {
    return index::DensityBin(index::BandDensity(sums[band], kSparseRows));
  };
  const Share share = ShareOf(kFirst, band_count);
  CountShares(share, cut.bin, counts, bin_of);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int32_t rank_before = 0;
  for (int w = 0; w < warp; ++w) rank_before += counts.within[w];
  __syncthreads();
  // Twice: the runs that begin in each share are counted, then written. A run's end is written by
  // the band after it.
  int32_t runs = 0;
  for (int pass = 0; pass < 2; ++pass) {
    int32_t rank = rank_before;
    // The first band touches the nearest offsets, as if the one before it were in.
    bool before = true;
    if (share.begin > kFirst) {
      const int bin = bin_of(share.begin - 1);
      before = BandTaken(bin, rank - 1, cut);
    }
    int32_t begun = pass == 0 ? 0 : runs;
    for (int32_t i = share.begin; i < share.end; i += 32 * kStepsAtOnce) {
      int bins[kStepsAtOnce];
      LoadBins(i, share.end, bins, bin_of);
#pragma unroll
      for (int j = 0; j < kStepsAtOnce; ++j) {
        const int32_t band = i + j * 32 + lane;
        const int bin = bins[j];
        const uint32_t equal = __ballot_sync(0xffffffffu, bin == cut.bin);
        const bool taken = bin >= 0 && BandTaken(bin, rank + __popc(equal & LanesBefore()), cut);
        const uint32_t in = __ballot_sync(0xffffffffu, taken);
        const uint32_t in_before = in << 1 | (before ? 1u : 0u);
        const uint32_t begins = in & ~in_before;
        const int32_t run = begun + __popc(begins & (LanesBefore() | 1u << lane));
        if (pass == 1 && band < share.end) {
          if ((begins >> lane & 1) != 0) list[run].begin = band * kWidth;
          if (!taken && (in_before >> lane & 1) != 0 && band > kFirst) {
            list[run].end = band * kWidth;
          }
          if (taken && band == band_count - 1) list[run].end = (band + 1) * kWidth;
        }
        begun += __popc(begins);
        rank += __popc(equal);
        before = (in >> 31) != 0;
      }
    }
    if (pass == 0) {
      if (lane == 0) counts.above[warp] = begun;
      __syncthreads();
      runs = 0;
      for (int w = 0; w < warp; ++w) runs += counts.above[w];
    }
  }
  int32_t total = 1;
  for (int w = 0; w < kLineWarps; ++w) total += counts.above[w];
  __syncthreads();
  return total;
}

}  // namespace longsight::cuda

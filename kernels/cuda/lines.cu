// The choice of lines, one CTA to a head: what native/engine's choice does on the CPU, with the
// same functions of kernels/index, and without the host.
#include <cuda_runtime.h>

#include "attention.h"
#include "index/area.h"
#include "lines_choice.cuh"

namespace longsight::cuda {
namespace {

class HeadChoice {
 public:
  __device__ HeadChoice(const ChooseArguments& p, ChoiceScratch& s)
      : p_(p),
        s_(s),
        head_(static_cast<int32_t>(blockIdx.x)),
        thread_(static_cast<int32_t>(threadIdx.x)),
        sums_(p.columns + static_cast<int64_t>(head_) * p.tokens),
        band_sums_(p.bands + static_cast<int64_t>(head_) * p.band_count),
        columns_(p.lines.columns + head_ * p.lines.column_capacity),
        bands_(p.lines.bands + head_ * p.lines.band_capacity) {}

  __device__ void Run() {
    PatternOfHead pattern = p_.patterns[head_];
    switch (static_cast<index::PatternKind>(pattern.kind)) {
      case index::PatternKind::kDense:
        return Dense(false);
      case index::PatternKind::kBlockSparse:
      case index::PatternKind::kAShape:
        if (pattern.kind == static_cast<int32_t>(index::PatternKind::kAShape) ? AShape(pattern)
                                                                              : Blocks(pattern)) {
          return;
        }
        // What it does not reach, lines can.
        pattern = {static_cast<int32_t>(index::kDefaultPattern.kind),
                   static_cast<int32_t>(index::kDefaultPattern.a),
                   static_cast<int32_t>(index::kDefaultPattern.b), pattern.recall_floor};
        break;
      case index::PatternKind::kVerticalSlash:
        break;
    }
    VerticalSlash(pattern);
  }

 private:
  // `guarded`: what exceeds the pattern's own pairs is the guard's.
  __device__ void Report(HeadLines lines, double pairs, bool guarded, double recall) {
    if (thread_ != 0) return;
    const bool more = guarded && pairs > own_pairs_;
    p_.lines.heads[head_] = lines;
    p_.reports[head_] = {pairs, more ? pairs - own_pairs_ : 0, recall};
  }

  // The first ones that are told are the pattern's own.
  __device__ void TellOwnPairs(double pairs) {
    if (own_pairs_ < 0) own_pairs_ = pairs;
  }

  // Not kept: registers are few.
  __device__ double DensePairs() const { return index::CausalArea(p_.first_position, p_.rows); }

  __device__ void Dense(bool guarded) {
    Report({static_cast<int32_t>(index::PatternKind::kDense), 0, 0, 0}, DensePairs(), guarded, 1);
  }

  // False when its recall is too low.
  __device__ bool Blocks(const PatternOfHead& pattern) {
    const auto keys = static_cast<double>(pattern.a) * static_cast<double>(index::kKeyBlock);
    if (keys > index::kDenseFrom * static_cast<double>(p_.tokens)) {
      Dense(false);
      return true;
    }
    const double pairs = keys * static_cast<double>(p_.rows);
    const double own = pairs < DensePairs() ? pairs : DensePairs();
    TellOwnPairs(own);
    if (pattern.recall_floor > 0 && BlockRecall() < pattern.recall_floor) return false;
    Report({pattern.kind, 0, 0, 0}, own, false, 0);
    return true;
  }

  // Of the blocks that were chosen for the last row block, and of its own keys.
  __device__ double BlockRecall() {
    const int64_t row_blocks = index::DivideUp(p_.rows, kSparseRows);
    const int64_t list = (head_ * row_blocks + row_blocks - 1) * p_.lines.block_capacity;
    const double kept = KeptByBlocks(
        p_.lines.blocks + list, static_cast<int32_t>(p_.lines.block_capacity), LastRows(), sums_);
    return SumOfAll(kept, s_) / static_cast<double>(p_.probe_rows);
  }

  // False when its recall is too low.
  __device__ bool AShape(PatternOfHead pattern) {
    if (thread_ == 0) bands_[0] = {0, Greater(1, pattern.b)};
    __syncthreads();
    const HeadCover cover = {pattern.a, 0, 1, columns_, bands_};
    const double pairs = Area(cover);
    if (pairs > index::kDenseFrom * DensePairs()) {
      Dense(false);
      return true;
    }
    const double recall = Recall(cover);
    TellOwnPairs(pairs);
    if (pattern.recall_floor > 0 && recall < pattern.recall_floor) return false;
    Report({pattern.kind, pattern.a, 0, 1}, pairs, false, recall);
    return true;
  }

  __device__ void VerticalSlash(PatternOfHead pattern) {
    CountColumns(ColumnEnd());
    Explain(p_.tokens - p_.probe_rows);
    CountBands();
    if (thread_ == 0) {
      s_.budget = {index::KeysOf(p_.area, p_.tokens), pattern.a, pattern.b, kSparseRows};
    }
    for (;;) {
      const HeadCover cover = TakeLines();
      const double pairs = Area(cover), recall = Recall(cover);
      TellOwnPairs(pairs);
      const bool enough = pattern.recall_floor <= 0 || recall >= pattern.recall_floor;
      const bool too_many = pairs > index::kDenseFrom * DensePairs();
      if (enough && !too_many) {
        return Report({static_cast<int32_t>(index::PatternKind::kVerticalSlash), cover.first_keys,
                       cover.column_count, cover.band_count},
                      pairs, true, recall);
      }
      if (too_many || s_.budget.keys >= p_.tokens) {
        return Dense(!enough || p_.patterns[head_].kind ==
                                    static_cast<int32_t>(index::PatternKind::kBlockSparse));
      }
      // The pattern's numbers bound its own budget, not the guard's.
      __syncthreads();
      if (thread_ == 0) {
        const auto keys = static_cast<double>(s_.budget.keys);
        s_.budget.keys = static_cast<int64_t>(keys * index::kBudgetGrowth);
        s_.budget.columns = s_.budget.offsets = p_.tokens;
      }
    }
  }

  // Lists the lines within the budget, as it was counted; or, to fill it, such that cover it, or as
  // many as there are.
  __device__ HeadCover TakeLines() {
    if (thread_ == 0) s_.fill = index::StartFill(p_.area, s_.budget.keys, p_.tokens);
    for (;;) {
      if (thread_ == 0) {
        index::LineBudget counted = s_.budget;
        counted.keys = s_.fill.counted;
        s_.cut = index::CutAtBudget(s_.column_bins, s_.band_bins, counted);
      }
      __syncthreads();
      const index::LineCut cut = s_.cut;
      const int32_t in_cut_bin =
          cut.columns.bin < index::kDensityBins ? s_.column_bins[cut.columns.bin] : 0;
      const int32_t columns =
          CollectColumns(sums_, ColumnEnd(), cut.columns, in_cut_bin, columns_, s_.counts);
      const int32_t bands = CollectBands(band_sums_, p_.band_count, cut.bands, bands_, s_.counts);
      const HeadCover cover = {static_cast<int32_t>(index::kFirstColumns), columns, bands, columns_,
                               bands_};
      if (s_.fill.settled) return cover;
      const int64_t keys = KeysAtEnd(cover);
      if (thread_ == 0) s_.goes_on = index::ContinueFill(s_.fill, keys);
      __syncthreads();
      if (!s_.goes_on) return cover;
    }
  }

  __device__ int32_t ColumnEnd() const {
    const auto limit = static_cast<int32_t>(index::ColumnLimit(p_.tokens - p_.probe_rows));
    return Lesser(limit, p_.tokens);
  }

  // The columns' histogram, and those that every probe row attends to.
  __device__ void CountColumns(int32_t end) {
    for (int i = thread_; i < index::kDensityBins; i += kLineThreads) {
      s_.column_bins[i] = s_.band_bins[i] = 0;
    }
    if (thread_ == 0) s_.found_count = 0;
    __syncthreads();
    const int everyone = index::DensityBin(1.0f);
#pragma unroll 4
    for (int32_t key = static_cast<int32_t>(index::kFirstColumns) + thread_; key < end;
         key += kLineThreads) {
      const int bin = index::DensityBin(sums_[key]);
      // Bin 0 is never taken, and most keys are in it.
      if (bin > 0) atomicAdd(&s_.column_bins[bin], 1);
      if (bin >= everyone) {
        const int32_t at = atomicAdd(&s_.found_count, 1);
        if (at < kMostExplained) s_.found[at] = key;
      }
    }
    __syncthreads();
  }

  // index::ExplainBands: a thread to each band that is crossed, in the order of the keys.
  __device__ void Explain(int64_t probe_begin) {
    const int32_t count = Lesser(s_.found_count, kMostExplained);
    if (thread_ < count) {
      int32_t rank = 0;
      for (int32_t i = 0; i < count; ++i) rank += s_.found[i] < s_.found[thread_] ? 1 : 0;
      s_.explained[rank] = s_.found[thread_];
    }
    __syncthreads();
    const int32_t crossings = count * kCrossings;
    if (thread_ < crossings) {
      s_.crossings[thread_] = CrossedBand(s_.explained[thread_ / kCrossings], probe_begin,
                                          p_.probe_rows, thread_ % kCrossings);
    }
    __syncthreads();
    if (thread_ >= crossings || s_.crossings[thread_].offsets == 0) return;
    const int32_t band = s_.crossings[thread_].band;
    float left = band_sums_[band];
    for (int32_t i = 0; i < crossings; ++i) {
      if (s_.crossings[i].band != band || s_.crossings[i].offsets == 0) continue;
      // The first of them does it for all.
      if (i < thread_) return;
      const float per_row = sums_[s_.explained[i / kCrossings]] / static_cast<float>(p_.probe_rows);
      left -= per_row * static_cast<float>(s_.crossings[i].offsets);
      left = left > 0 ? left : 0;
    }
    band_sums_[band] = left;
  }

  __device__ void CountBands() {
    __syncthreads();
    for (int32_t band = static_cast<int32_t>(index::kFirstBand) + thread_; band < p_.band_count;
         band += kLineThreads) {
      const int bin = index::DensityBin(index::BandDensity(band_sums_[band], kSparseRows));
      if (bin > 0) atomicAdd(&s_.band_bins[bin], 1);
    }
    __syncthreads();
  }

  // index::CoveredArea: four warps to each sample.
  __device__ double Area(const HeadCover& cover) {
    constexpr int kWarpsOfSample = kLineWarps / index::kAreaSamples, kThreads = 32 * kWarpsOfSample;
    const int64_t blocks = index::DivideUp(p_.rows, kSparseRows);
    const int64_t samples = index::Least(blocks, index::kAreaSamples);
    auto* of_warps = reinterpret_cast<long long*>(s_.partial);
    long long share = 0;
    if (thread_ / kThreads < samples) {
      const RowSpan rows = SampledRows(p_.first_position, p_.rows, thread_ / kThreads, samples);
      share = CoveredShare(cover, rows, thread_ % kThreads, kThreads);
    }
    for (int other = 16; other > 0; other /= 2) {
      share += __shfl_xor_sync(0xffffffffu, share, other);
    }
    if (thread_ % 32 == 0) of_warps[thread_ / 32] = share;
    __syncthreads();
    double pairs = 0, counted_rows = 0;
    for (int i = 0; i < static_cast<int>(samples); ++i) {
      const RowSpan rows = SampledRows(p_.first_position, p_.rows, i, samples);
      long long keys = 0;
      for (int w = 0; w < kWarpsOfSample; ++w) keys += of_warps[i * kWarpsOfSample + w];
      const auto height = static_cast<double>(rows.end - rows.begin);
      pairs += height * static_cast<double>(keys);
      counted_rows += height;
    }
    __syncthreads();
    return pairs * static_cast<double>(p_.rows) / counted_rows;
  }

  __device__ RowSpan LastRows() const {
    return {static_cast<int32_t>(index::Most(p_.first_position, p_.tokens - kSparseRows)),
            p_.tokens};
  }

  // index::CoveredKeys, of the chunk's last row block.
  __device__ int64_t KeysAtEnd(const HeadCover& cover) {
    const int64_t share = CoveredShare(cover, LastRows(), thread_, kLineThreads);
    // Below 2^53: exact.
    return static_cast<int64_t>(SumOfAll(static_cast<double>(share), s_));
  }

  // index::Recall, of the same.
  __device__ double Recall(const HeadCover& cover) {
    const double kept = SumOfAll(KeptShare(cover, LastRows(), sums_, thread_, kLineThreads), s_);
    return kept / static_cast<double>(p_.probe_rows);
  }

  const ChooseArguments& p_;
  ChoiceScratch& s_;
  const int32_t head_, thread_;
  const float* const sums_;
  float* const band_sums_;
  int32_t* const columns_;
  Band* const bands_;
  double own_pairs_ = -1;
};

__global__ void __launch_bounds__(kLineThreads)
    ChooseKernel(const __grid_constant__ ChooseArguments p) {
  __shared__ ChoiceScratch scratch;
  HeadChoice(p, scratch).Run();
}

// Heads by what they cost, the most first.
__global__ void OrderKernel(const HeadReport* reports, int32_t heads, int32_t* order) {
  const auto head = static_cast<int32_t>(threadIdx.x);
  if (head >= heads) return;
  const double pairs = reports[head].pairs;
  int32_t rank = 0;
  for (int32_t i = 0; i < heads; ++i) {
    rank += reports[i].pairs > pairs || (reports[i].pairs == pairs && i < head) ? 1 : 0;
  }
  order[rank] = head;
}

}  // namespace

int64_t ColumnCapacity(int64_t tokens) { return tokens; }
int64_t BandCapacity(int64_t tokens) {
  // No more runs than every second band.
  return index::DivideUp(index::DivideUp(tokens, index::kBandOffsets), 2) + 2;
}

Launched ChooseLines(const ChooseLinesParams& p) {
  const int64_t tokens = p.first_position + p.rows;
  if (p.heads < 1 || p.heads > kMostHeads) {
    return {cudaErrorInvalidValue, "choice of lines: 1 to 256 heads"};
  }
  if (tokens > INT32_MAX - 4096 || p.probe_rows < 1 || p.probe_rows > index::kProbeRows ||
      p.probe_rows > p.rows) {
    return {cudaErrorInvalidValue, "choice of lines: 1 to 64 probe rows, below 2^31 tokens"};
  }
  if (p.lines.column_capacity < ColumnCapacity(tokens) ||
      p.lines.band_capacity < BandCapacity(tokens)) {
    return {cudaErrorInvalidValue, "choice of lines: lists that do not hold all lines"};
  }
  ChooseArguments a{};
  for (int64_t head = 0; head < p.heads; ++head) {
    const index::HeadPattern& pattern = p.patterns[head];
    a.patterns[head] = {static_cast<int32_t>(pattern.kind),
                        static_cast<int32_t>(index::Within(pattern.a, 0, INT32_MAX / 2)),
                        static_cast<int32_t>(index::Within(pattern.b, 0, INT32_MAX / 2)),
                        p.recall_floor >= 0 ? p.recall_floor : pattern.recall_floor};
  }
  a.heads = static_cast<int32_t>(p.heads);
  a.tokens = static_cast<int32_t>(tokens);
  a.probe_rows = static_cast<int32_t>(p.probe_rows);
  a.band_count = static_cast<int32_t>(index::DivideUp(tokens, index::kBandOffsets));
  a.first_position = p.first_position;
  a.rows = p.rows;
  a.area = p.area;
  a.columns = p.columns;
  a.bands = p.bands;
  a.lines = p.lines;
  a.reports = p.reports;
  ChooseKernel<<<static_cast<unsigned>(p.heads), kLineThreads, 0, p.stream>>>(a);
  cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) return {error, "choice of lines: the launch"};
  OrderKernel<<<1, kMostHeads, 0, p.stream>>>(p.reports, a.heads, p.lines.order);
  error = cudaGetLastError();
  return {error, error == cudaSuccess ? "" : "choice of lines: the order"};
}

}  // namespace longsight::cuda

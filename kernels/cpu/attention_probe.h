// The probe of kernels.h. Keys go through in slices, twice: first each row's log-sum-exp, slice by
// slice and then merged; then every score again, as a share of its row's attention, summed down
// the columns and along the diagonals. Slices do not depend on the number of threads, and so
// neither do the sums.
#pragma once

#include "attention_sparse.h"
#include "probe_layout.h"

namespace longsight::cpu {

// Where things lie in the workspace.
struct ProbeLayout {
  float* partial;      // [slices, heads, kProbeRows]: log-sum-exp in units of log 2
  float* slice_bands;  // [slices, heads, kSliceBands]
};

static inline ProbeLayout LayOutProbe(const ProbeParams& p) {
  return {p.workspace, p.workspace + ProbeSlices(p.kv.tokens) * p.heads * index::kProbeRows};
}

// The same instructions in register tiles that the probe's rows fill.
template <class Isa>
struct ProbeTiles : Isa {
  static constexpr int kAttentionRows = Isa::kProbeRows, kAttentionVectors = Isa::kProbeVectors;
  static_assert(index::kProbeRows % (kAttentionVectors * Isa::kWidth) == 0);
};

// One head's probe rows against a slice of the keys. Lane i is row i. S: of ProbeTiles.
template <class S, class Units>
class ProbeBlock : AttentionBlock<S, Units> {
  using Base = AttentionBlock<S, Units>;
  using V = typename S::V;
  using T = AttentionTiles<S>;
  static constexpr float kLog2E = 1.44269504088896341f;

 public:
  ProbeBlock(const AttentionParams& one, const ProbeParams& p, void* scratch)
      : Base(one, 0, 0, p.rows, scratch), probe_(p), cursor_{p.kv.views, p.kv_head} {}

  // partial[kProbeRows]: of the keys [begin, end). False when cancelled.
  bool LogSumExp(int64_t begin, int64_t end, float* partial) {
    const bool done = EachTile(
        begin, end, [&](int64_t panel, int64_t, int64_t padded) { AddToRows(panel, padded); });
    for (int64_t row = 0; row < probe_.rows; ++row) {
      const float sum = this->s_.sum[row];
      partial[row] = sum == 0.0f ? kMinusInfinity : this->s_.top[row] + std::log2(sum);
    }
    return done;
  }

  // columns[end - begin] and the bands of the keys [begin, end); lse[kProbeRows] in units of log 2.
  bool Sum(int64_t begin, int64_t end, const float* lse, float* columns, float* bands) {
    alignas(64) float of_lane[kLanesMax];
    for (int64_t lane = 0; lane < kLanesMax; ++lane) {
      // A lane without a row: 2^(0 - inf) is nothing.
      of_lane[lane] = lane < probe_.rows ? lse[lane] : -kMinusInfinity;
    }
    for (int64_t i = 0; i < kSliceBands; ++i) bands[i] = 0.0f;
    for (int64_t i = 0; i < end - begin; ++i) columns[i] = 0.0f;
    return EachTile(begin, end, [&](int64_t panel, int64_t tile, int64_t) {
      const int64_t count = Min(T::kKeys, end - tile);
      SumPanel(panel, count, of_lane, columns + (tile - begin));
      AddDiagonals(panel, tile, count, end, bands);
    });
  }

 private:
  static constexpr int64_t kLanesMax = RoundUp(index::kProbeRows, T::kLanes);

  // Keys and scores of every tile and panel; each(panel, tile, padded): `padded` keys with those
  // that fill up the register tile.
  template <class Each>
  bool EachTile(int64_t begin, int64_t end, Each each) {
    this->LoadQueries();
    for (int64_t tile = begin; tile < end; tile += T::kKeys) {
      if (Cancelled(this->p_)) return false;
      const int64_t count = Min(T::kKeys, end - tile);
      const int64_t padded = RoundUp(count, T::kMr);
      LoadKeys(tile, count);
      for (int64_t panel = 0; panel < this->Panels(); ++panel) {
        this->Score(panel, 0, padded);
        if (padded > count || tile + count > this->p_.first_position + panel * T::kLanes) {
          this->Mask(panel * T::kLanes, tile, count, 0, padded);
        }
        each(panel, tile, padded);
      }
    }
    return true;
  }

  void LoadKeys(int64_t tile, int64_t count) {
    const int64_t stride = T::RowStride(this->p_.head_size);
    for (int64_t key = tile; key < tile + count; ++key) {
      SeekView(cursor_, key);
      const KvView& view = *cursor_.view;
      Units::LoadKey(this->p_, ElementAt(view.k, view.type, RowOffset(cursor_, key)),
                     this->s_.k + (key - tile) * stride);
    }
    this->FillTile(count);
  }

  // scores -> the running maximum and sum of every row.
  [[gnu::noinline]] void AddToRows(int64_t panel, int64_t count) {
    const V scale = S::Set1(this->p_.scale * kLog2E);
    for (int j = 0; j < S::kAttentionVectors; ++j) {
      float* running_top = this->s_.top + panel * T::kLanes + j * S::kWidth;
      float* running_sum = this->s_.sum + panel * T::kLanes + j * S::kWidth;
      const float* column = this->s_.scores + j * S::kWidth;
      V tile_top = S::Load(column);
      for (int64_t key = 1; key < count; ++key) {
        tile_top = S::Max(tile_top, S::Load(column + key * T::kLanes));
      }
      const V old_top = S::Load(running_top);
      const V new_top = S::Max(old_top, S::Mul(tile_top, scale));
      // A row that has seen no key yet: -inf minus -inf would be NaN.
      const V base = S::WhereLe(new_top, S::Set1(-3e38f), S::Zero(), new_top);
      // Two sums: each addition waits for the one before it.
      V sums[2] = {S::Mul(S::Load(running_sum), Exp2<S>(S::Sub(old_top, base))), S::Zero()};
      for (int64_t key = 0; key < count; key += 2) {
        for (int64_t i = 0; i < 2; ++i) {
          const V score = S::Load(column + (key + i) * T::kLanes);
          sums[i] = S::Add(sums[i], Exp2<S>(S::Sub(S::Mul(score, scale), base)));
        }
      }
      S::Store(running_sum, S::Add(sums[0], sums[1]));
      S::Store(running_top, new_top);
    }
  }

  // scores -> shares of the rows' attention, added up per key.
  [[gnu::noinline]] void SumPanel(int64_t panel, int64_t count, const float* lse, float* columns) {
    const V scale = S::Set1(this->p_.scale * kLog2E);
    for (int64_t key = 0; key < count; ++key) {
      float* row = this->s_.scores + key * T::kLanes;
      V sum = S::Zero();
      for (int j = 0; j < S::kAttentionVectors; ++j) {
        const V base = S::Load(lse + panel * T::kLanes + j * S::kWidth);
        const V share = Exp2<S>(S::Sub(S::Mul(S::Load(row + j * S::kWidth), scale), base));
        S::Store(row + j * S::kWidth, share);
        sum = S::Add(sum, share);
      }
      columns[key] += S::ReduceAdd(sum);
    }
  }

  // Key k and lane r meet on the diagonal of offset first + r - k. Four copies of the diagonals in
  // turn: the next key's lie one further, and must not wait for the stores of this one's.
  [[gnu::noinline]] void AddDiagonals(int64_t panel, int64_t tile, int64_t count, int64_t end,
                                      float* bands) {
    constexpr int64_t kCopies = 4, kDiagonals = T::kKeys + T::kLanes;
    alignas(64) float diagonals[kCopies][kDiagonals];
    std::memset(diagonals, 0, sizeof diagonals);
    const int64_t first_key = Max(0, index::kFirstColumns - tile);
    for (int64_t key = first_key; key < count; ++key) {
      const float* row = this->s_.scores + key * T::kLanes;
      float* to = diagonals[key % kCopies] + (count - 1 - key);
      for (int j = 0; j < S::kAttentionVectors; ++j) {
        S::Store(to + j * S::kWidth,
                 S::Add(S::Load(to + j * S::kWidth), S::Load(row + j * S::kWidth)));
      }
    }
    // The slice's first band is that of its last key and the first row.
    const int64_t first_band = FirstBand(end);
    const int64_t nearest = this->p_.first_position + panel * T::kLanes - (tile + count - 1);
    for (int64_t i = Max(0, -nearest); i < count - 1 + T::kLanes; ++i) {
      float sum = 0.0f;
      for (int64_t copy = 0; copy < kCopies; ++copy) sum += diagonals[copy][i];
      // Lanes without a row may lie past the last band, and hold nothing.
      const int64_t band = (nearest + i) / index::kBandOffsets - first_band;
      if (band < kSliceBands) bands[band] += sum;
    }
  }

 public:
  // The band that a slice's bands begin with.
  int64_t FirstBand(int64_t end) const {
    return Max(0, this->p_.first_position - (end - 1)) / index::kBandOffsets;
  }

 private:
  const ProbeParams& probe_;
  KvCursor cursor_;
};

static inline AttentionParams OfOneHead(const ProbeParams& p, int64_t head) {
  AttentionParams one{};
  one.q = p.q + head * p.q_head_stride;
  one.q_row_stride = p.q_row_stride;
  one.rows = p.rows;
  one.heads = one.kv_heads = 1;
  one.head_size = p.head_size;
  one.first_position = p.kv.tokens - p.rows;
  one.scale = p.scale;
  one.kv.type = p.kv.views[0].type;
  one.kv.tokens = p.kv.tokens;
  one.round_activations = p.round_activations;
  one.cancel = p.cancel;
  return one;
}

// log2 of the sum of 2^partial over the slices.
static inline float MergePartials(const float* partial, int64_t slices, int64_t stride) {
  float top = kMinusInfinity;
  for (int64_t i = 0; i < slices; ++i) {
    top = partial[i * stride] > top ? partial[i * stride] : top;
  }
  double sum = 0;
  for (int64_t i = 0; i < slices; ++i) {
    sum += std::exp2(static_cast<double>(partial[i * stride] - top));
  }
  return top + static_cast<float>(std::log2(sum));
}

template <class S, class Units>
inline void ProbeOn(ThreadPool& pool, const ProbeParams& p) {
  const int64_t tokens = p.kv.tokens, slices = ProbeSlices(tokens);
  const ProbeLayout layout = LayOutProbe(p);
  const int64_t partials = p.heads * index::kProbeRows;
  const auto each = [&](auto work) {
    pool.ParallelFor(slices * p.heads, [&](int64_t task, int thread) {
      // The heads of a group read the same keys.
      const int64_t slice = task / p.heads, head = task % p.heads;
      const AttentionParams one = OfOneHead(p, head);
      ProbeBlock<S, Units> block(one, p, pool.Scratch(thread));
      const int64_t begin = slice * kProbeSlice;
      work(block, slice, head, begin, Min(begin + kProbeSlice, tokens));
    });
  };
  each([&](ProbeBlock<S, Units>& block, int64_t slice, int64_t head, int64_t begin, int64_t end) {
    block.LogSumExp(begin, end, layout.partial + slice * partials + head * index::kProbeRows);
  });
  if (p.cancel != nullptr && p.cancel->load(std::memory_order_relaxed)) return;
  // Merged into p.lse, in units of log 2 until the end.
  for (int64_t head = 0; head < p.heads; ++head) {
    for (int64_t row = 0; row < p.rows; ++row) {
      p.lse[head * p.rows + row] =
          MergePartials(layout.partial + head * index::kProbeRows + row, slices, partials);
    }
  }
  each([&](ProbeBlock<S, Units>& block, int64_t slice, int64_t head, int64_t begin, int64_t end) {
    block.Sum(begin, end, p.lse + head * p.rows, p.columns + head * tokens + begin,
              layout.slice_bands + (slice * p.heads + head) * kSliceBands);
  });
  const int64_t bands = CeilDiv(tokens, index::kBandOffsets);
  for (int64_t head = 0; head < p.heads; ++head) {
    float* sums = p.bands + head * bands;
    for (int64_t band = 0; band < bands; ++band) sums[band] = 0.0f;
    for (int64_t slice = 0; slice < slices; ++slice) {
      const int64_t end = Min((slice + 1) * kProbeSlice, tokens);
      const int64_t first = Max(0, tokens - p.rows - (end - 1)) / index::kBandOffsets;
      const float* from = layout.slice_bands + (slice * p.heads + head) * kSliceBands;
      for (int64_t i = 0; i < kSliceBands && first + i < bands; ++i) sums[first + i] += from[i];
    }
  }
  for (int64_t i = 0; i < p.heads * p.rows; ++i) p.lse[i] *= 0.693147180559945309f;
}

template <class Isa, class PairDot>
void ProbeFor(ThreadPool& pool, const ProbeParams& p) {
  using S = ProbeTiles<Isa>;
  if constexpr (!__is_same(PairDot, void)) {
    using Paired = PairedTile<S, PairDot>;
    if (Paired::Fits(OfOneHead(p, 0))) return ProbeOn<S, Paired>(pool, p);
  }
  ProbeOn<S, WidenedTile<S>>(pool, p);
}

}  // namespace longsight::cpu

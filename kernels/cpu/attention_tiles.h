// Attention of many stacked query rows: tiles with an online softmax in fp32 (Dao,
// "FlashAttention-2", arXiv 2307.08691), transposed. Query rows lie across the vector lanes and
// keys go down, so that
//   scores[key][lane] = K[key][:] . Q[:][lane]   and   out[dim][lane] += V[key][dim] * p[key][lane]
// both broadcast K and V as they lie in memory: neither is transposed, maxima and sums run straight
// down the lanes, and p is used where the first product left it.
//
// Both products run on 32-bit units (dot.h): fp32 values, or pairs of bf16 where the instruction
// set has their dot product. Pairs lie along the summed dimension: along the head in the first
// product, along the keys in the second.
#pragma once

#include "attention_merge.h"
#include "attention_units.h"
#include "dot.h"
#include "exp2.h"
#include "thread_pool.h"

namespace longsight::cpu {

template <class S>
struct AttentionTiles {
  static constexpr int64_t kMr = S::kAttentionRows;
  static constexpr int64_t kLanes = int64_t{S::kAttentionVectors} * S::kWidth;
  // Keys of a tile. A panel's scores, 128 x 24 fp32, stay in L1 between the two products.
  static constexpr int64_t kKeys = 128;
  static constexpr int64_t kMaxHeadSize = 256;
  // Stacked rows x head size of a block: K and V are widened once for so many rows. Bounded by L2:
  // q and out take 96 KiB each, K and V 80 KiB at head size 64 and 144 KiB at 128.
  static constexpr int64_t kMaxBlock = 24576;

  static constexpr int64_t BlockRows(int64_t head_size) {
    return Max(kLanes, Min(384, kMaxBlock / head_size) / kLanes * kLanes);
  }

  // Elements between the rows of a tile. The second product walks down a column of V; the padding
  // spreads it over the sets of L1.
  static constexpr int64_t RowStride(int64_t head_size) { return head_size + 16; }

  static_assert(kKeys % kMr == 0 && kMr % 2 == 0);
};

// One block's working set, laid out in a thread's scratch.
template <class S>
struct AttentionScratch {
  using T = AttentionTiles<S>;

  AttentionScratch(void* scratch, int64_t head_size) {
    float* next = static_cast<float*>(scratch);
    const auto take = [&next](int64_t floats) {
      float* taken = next;
      next += RoundUp(floats, 16);
      return taken;
    };
    const int64_t lanes = T::BlockRows(head_size);
    q = take(lanes * head_size);
    out = take(lanes * head_size);
    k = take(T::kKeys * T::RowStride(head_size));
    v = take(T::kKeys * T::RowStride(head_size));
    scores = take(T::kKeys * T::kLanes);
    top = take(lanes);
    sum = take(lanes);
    decay = take(T::kLanes);
    row = take(T::kMaxHeadSize);
    rest = next;
  }

  float* q;       // [panels][units of the head][kLanes]
  float* out;     // [panels][head_size][kLanes], not yet divided by sum
  float* k;       // [kKeys][units of the head], RowStride apart
  float* v;       // [units of the keys][head_size], RowStride apart
  float* scores;  // [kKeys][kLanes]; then the weights, [units of the keys][kLanes]
  float* top;     // [lanes]: running maximum of the scaled scores, in units of log 2
  float* sum;     // [lanes]: sum of 2^(score - top)
  float* decay;   // [kLanes]: what the panel's earlier sums shrink by
  float* row;     // [head_size]
  float* rest;    // what is left, kRestBytes at least

  static constexpr int64_t kRestBytes = int64_t{1} << 20;
};

// The largest head: 96 x 256 twice, 128 x 256 twice, and some; then the rest.
static_assert((2 * 24576 + 2 * 128 * 272 + 128 * 48 + 2 * 384 + 2 * 256) * sizeof(float) +
                  (size_t{1} << 20) <=
              ThreadPool::kScratchBytes);

// One block of stacked rows [row_begin, row_end) of a KV head against keys [keys.begin, keys.end)
// of the view. Units: WidenedTile or PairedTile (attention_units.h).
template <class S, class Units>
class AttentionBlock {
  using V = typename S::V;
  using T = AttentionTiles<S>;
  using Dot = typename Units::Dot;
  static constexpr int kNv = S::kAttentionVectors;
  static constexpr int64_t kValues = Dot::kValuesPerUnit;

 public:
  AttentionBlock(const AttentionParams& p, int64_t kv_head, int64_t row_begin, int64_t row_end,
                 void* scratch)
      : p_(p),
        kv_head_(kv_head),
        row_begin_(row_begin),
        row_end_(row_end),
        head_units_(p.head_size / kValues),
        s_(scratch, p.head_size) {}

  // False when cancelled.
  bool Run(KeyRange keys) {
    LoadQueries();
    for (int64_t tile = keys.begin; tile < keys.end; tile += T::kKeys) {
      if (Cancelled(p_)) return false;
      const int64_t count = Min(T::kKeys, keys.end - tile);
      LoadKeysAndValues(tile, count);
      for (int64_t panel = 0; panel < Panels(); ++panel) AttendPanel(panel, tile, count);
    }
    return true;
  }

  // Into p.out and p.lse, merging when asked.
  void StoreOut() {
    for (int64_t i = row_begin_; i < row_end_; ++i) {
      const float lse = FinishRow(i - row_begin_, s_.row);
      StoreRow(p_, kv_head_, i, s_.row, lse);
    }
  }

  void StorePartial(const PartialAttention& partial) {
    for (int64_t i = 0; i < row_end_ - row_begin_; ++i) {
      partial.lse[i] = FinishRow(i, partial.out + i * p_.head_size);
    }
  }

 protected:
  // Key `key`'s row in K or V.
  const void* RowAt(const void* plane, int64_t key) const {
    return ElementAt(plane, p_.kv.type, key * p_.kv.row_stride + kv_head_ * p_.kv.head_stride);
  }

  int64_t Panels() const { return CeilDiv(row_end_ - row_begin_, T::kLanes); }

  // The query of a lane. Lanes without one (null) are zero: their scores are 0, and nobody reads
  // their result.
  void LoadLane(int64_t lane, const float* from) {
    float* to = s_.q + lane / T::kLanes * head_units_ * T::kLanes + lane % T::kLanes;
    for (int64_t u = 0; u < head_units_; ++u) {
      to[u * T::kLanes] = from == nullptr ? 0.0f : Units::QueryUnit(from + u * kValues);
    }
    s_.top[lane] = kMinusInfinity;
    s_.sum[lane] = 0.0f;
  }

  void LoadQueries() {
    for (int64_t lane = 0; lane < Panels() * T::kLanes; ++lane) {
      const int64_t i = row_begin_ + lane;
      const int64_t offset = StackedOffset(p_, kv_head_, i, p_.q_row_stride, p_.q_head_stride);
      LoadLane(lane, i < row_end_ ? p_.q + offset : nullptr);
    }
    std::memset(s_.out, 0,
                static_cast<size_t>(Panels() * T::kLanes * p_.head_size) * sizeof(float));
  }

  // Loads a tile; the rows that fill up the last register tile are zero.
  [[gnu::noinline]] void LoadKeysAndValues(int64_t tile, int64_t count) {
    const int64_t stride = T::RowStride(p_.head_size);
    for (int64_t key = 0; key < count; ++key) {
      Units::LoadKey(p_, RowAt(p_.kv.k, tile + key), s_.k + key * stride);
      // A head's rows lie apart, which the processor's own prefetchers follow badly.
      const int64_t ahead = tile + key + T::kKeys;
      if (ahead < p_.kv.tokens) {
        PrefetchRow(RowAt(p_.kv.k, ahead));
        PrefetchRow(RowAt(p_.kv.v, ahead));
      }
    }
    for (int64_t key = 0; key < count; key += kValues) {
      const bool pair = kValues == 2 && key + 1 < count;
      Units::LoadValues(p_, RowAt(p_.kv.v, tile + key),
                        pair ? RowAt(p_.kv.v, tile + key + 1) : nullptr,
                        s_.v + key / kValues * stride);
    }
    FillTile(count);
  }

  void PrefetchRow(const void* row) const {
    const int64_t bytes = p_.head_size * ElementBytes(p_.kv.type);
    for (int64_t at = 0; at < bytes; at += 64) {
      __builtin_prefetch(static_cast<const char*>(row) + at, 0, 2);
    }
  }

  // Zeros behind the `count` keys of a tile, to the end of the register tile.
  void FillTile(int64_t count) {
    const int64_t stride = T::RowStride(p_.head_size);
    const int64_t filled = RoundUp(count, T::kMr);
    for (int64_t key = count; key < filled; ++key) {
      std::memset(s_.k + key * stride, 0, static_cast<size_t>(head_units_) * sizeof(float));
    }
    for (int64_t unit = CeilDiv(count, kValues); unit < filled / kValues; ++unit) {
      std::memset(s_.v + unit * stride, 0, static_cast<size_t>(p_.head_size) * sizeof(float));
    }
  }

  // One panel of kLanes stacked rows against the tile of `count` keys at `tile`.
  void AttendPanel(int64_t panel, int64_t tile, int64_t count) {
    const int64_t first = row_begin_ + panel * T::kLanes;
    const int64_t last = Min(first + T::kLanes, row_end_) - 1;
    const int64_t group = GroupSize(p_);
    const KeyRange of_first = VisibleKeys(p_, first / group);
    const KeyRange of_last = VisibleKeys(p_, last / group);
    // In whole register tiles; what sticks out is masked below.
    const int64_t begin = Clamp(of_first.begin - tile, 0, count) / T::kMr * T::kMr;
    const int64_t end = RoundUp(Clamp(of_last.end - tile, 0, count), T::kMr);
    if (end <= begin) return;
    Score(panel, begin, end);
    if (end > Min(of_first.end - tile, count) || begin < of_last.begin - tile) {
      Mask(first, tile, count, begin, end);
    }
    Exponentiate(panel, begin, end);
    Accumulate(panel, begin, end);
  }

  // scores[begin .. end) of the panel. Nothing but the tile is live in here and in Accumulate: a
  // maximum or a factor kept in a register would push one of its 12 sums out to memory.
  [[gnu::noinline]] void Score(int64_t panel, int64_t begin, int64_t end) {
    const int64_t stride = T::RowStride(p_.head_size);
    const float* q = s_.q + panel * head_units_ * T::kLanes;
    for (int64_t key = begin; key < end; key += T::kMr) {
      V acc[T::kMr][kNv];
#pragma GCC unroll 16
      for (int i = 0; i < T::kMr; ++i) {
#pragma GCC unroll 8
        for (int j = 0; j < kNv; ++j) acc[i][j] = S::Zero();
      }
      MultiplyTile<S, Dot, T::kMr, kNv>(acc, s_.k + key * stride, stride, 1, q, head_units_);
#pragma GCC unroll 16
      for (int i = 0; i < T::kMr; ++i) {
#pragma GCC unroll 8
        for (int j = 0; j < kNv; ++j)
          S::Store(s_.scores + (key + i) * T::kLanes + j * S::kWidth, acc[i][j]);
      }
    }
  }

  // Sets the scores that a lane may not see to -inf. Key numbers within the tile are small
  // integers, exact in fp32.
  [[gnu::noinline]] void Mask(int64_t first, int64_t tile, int64_t count, int64_t begin,
                              int64_t end) {
    alignas(64) float lowest[T::kLanes];
    alignas(64) float highest[T::kLanes];
    for (int64_t lane = 0; lane < T::kLanes; ++lane) {
      const KeyRange seen = VisibleKeys(p_, Min(first + lane, row_end_ - 1) / GroupSize(p_));
      lowest[lane] = static_cast<float>(Clamp(seen.begin - tile, 0, count));
      highest[lane] = static_cast<float>(Clamp(seen.end - tile, 0, count) - 1);
    }
    const V hidden = S::Set1(kMinusInfinity);
    for (int j = 0; j < kNv; ++j) {
      const V low = S::Load(lowest + j * S::kWidth);
      const V high = S::Load(highest + j * S::kWidth);
      for (int64_t key = begin; key < end; ++key) {
        float* at = s_.scores + key * T::kLanes + j * S::kWidth;
        const V number = S::Set1(static_cast<float>(key));
        const V below_high = S::WhereLe(number, high, S::Load(at), hidden);
        S::Store(at, S::WhereLe(low, number, below_high, hidden));
      }
    }
  }

  // scores -> 2^(scaled score - new maximum), in units; decay = 2^(old maximum - new maximum). Keys
  // [begin, end) are whole register tiles, so their number is even; a pair's weights go where no
  // score is still to be read.
  [[gnu::noinline]] void Exponentiate(int64_t panel, int64_t begin, int64_t end) {
    const V scale = S::Set1(p_.scale * 1.44269504088896341f);
    for (int j = 0; j < kNv; ++j) {
      float* running_top = s_.top + panel * T::kLanes + j * S::kWidth;
      float* running_sum = s_.sum + panel * T::kLanes + j * S::kWidth;
      float* column = s_.scores + j * S::kWidth;
      V tile_top = S::Load(column + begin * T::kLanes);
      for (int64_t key = begin + 1; key < end; ++key)
        tile_top = S::Max(tile_top, S::Load(column + key * T::kLanes));
      const V old_top = S::Load(running_top);
      const V new_top = S::Max(old_top, S::Mul(tile_top, scale));
      // A lane that has seen no key yet: -inf minus -inf would be NaN.
      const V base = S::WhereLe(new_top, S::Set1(-3e38f), S::Zero(), new_top);
      const V decay = Exp2<S>(S::Sub(old_top, base));
      V sum = S::Zero();
      const auto weight = [&](int64_t key) {
        return Exp2<S>(S::Sub(S::Mul(S::Load(column + key * T::kLanes), scale), base));
      };
      for (int64_t key = begin; key < end; key += kValues) {
        V weights[kValues];
        for (int64_t i = 0; i < kValues; ++i) {
          weights[i] = weight(key + i);
          sum = S::Add(sum, weights[i]);
        }
        S::Store(column + key / kValues * T::kLanes, Units::WeightUnit(weights));
      }
      S::Store(running_sum, S::Fma(S::Load(running_sum), decay, sum));
      S::Store(s_.decay + j * S::kWidth, decay);
      S::Store(running_top, new_top);
    }
  }

  // out = out * decay + V^T p.
  [[gnu::noinline]] void Accumulate(int64_t panel, int64_t begin, int64_t end) {
    const int64_t d = p_.head_size;
    const int64_t stride = T::RowStride(d);
    for (int64_t c = 0; c < d; c += T::kMr) {
      float* out = s_.out + (panel * d + c) * T::kLanes;
      V acc[T::kMr][kNv];
#pragma GCC unroll 16
      for (int i = 0; i < T::kMr; ++i) {
#pragma GCC unroll 8
        for (int j = 0; j < kNv; ++j) {
          const V decay = S::Load(s_.decay + j * S::kWidth);
          acc[i][j] = S::Mul(S::Load(out + i * T::kLanes + j * S::kWidth), decay);
        }
      }
      MultiplyTile<S, Dot, T::kMr, kNv>(acc, s_.v + begin / kValues * stride + c, 1, stride,
                                        s_.scores + begin / kValues * T::kLanes,
                                        (end - begin) / kValues);
#pragma GCC unroll 16
      for (int i = 0; i < T::kMr; ++i) {
#pragma GCC unroll 8
        for (int j = 0; j < kNv; ++j) S::Store(out + i * T::kLanes + j * S::kWidth, acc[i][j]);
      }
    }
  }

  // Row `lane` of the block, normalised into out[head_size]; returns its lse. Zero and -inf when it
  // saw no key.
  float FinishRow(int64_t lane, float* out) const {
    const int64_t d = p_.head_size;
    const float* from = s_.out + lane / T::kLanes * d * T::kLanes + lane % T::kLanes;
    const float sum = s_.sum[lane];
    const float inverse = sum == 0.0f ? 0.0f : 1.0f / sum;
    for (int64_t c = 0; c < d; ++c) out[c] = from[c * T::kLanes] * inverse;
    if (sum == 0.0f) return kMinusInfinity;
    return (s_.top[lane] + std::log2(sum)) * 0.693147180559945309f;
  }

  const AttentionParams& p_;
  const int64_t kv_head_, row_begin_, row_end_;
  const int64_t head_units_;
  const AttentionScratch<S> s_;
};

}  // namespace longsight::cpu

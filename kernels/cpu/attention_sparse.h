// Sparse attention of kernels.h: what a row block's cover keeps is gathered into full tiles, on
// which the arithmetic is that of dense attention. A tile of keys left of the row block needs no
// mask; the row block's own keys make a tile of their own, with one.
#pragma once

#include "attention_tiles.h"
#include "index/blocks.h"
#include "index/cover.h"

namespace longsight::cpu {

// One query head of the layer as attention with a single head over all keys; its K and V are found
// by the views.
static inline AttentionParams OfOneHead(const SparseAttentionParams& p, int64_t head) {
  AttentionParams one{};
  one.q = p.q + head * p.q_head_stride;
  one.q_row_stride = p.q_row_stride;
  one.rows = p.rows;
  one.heads = one.kv_heads = 1;
  one.head_size = p.head_size;
  one.first_position = p.first_position;
  one.scale = p.scale;
  one.kv.type = p.kv.views[0].type;
  one.kv.tokens = p.kv.tokens;
  one.round_activations = p.round_activations;
  one.cancel = p.cancel;
  return one;
}

// Rows of K and V by position, for positions that never descend.
struct KvCursor {
  const KvView* view;
  int64_t kv_head;
};

static inline int64_t ViewEnd(const KvView& view) { return view.first_position + view.tokens; }

// Moves on to the view that holds `position`.
static inline void SeekView(KvCursor& cursor, int64_t position) {
  while (position >= ViewEnd(*cursor.view)) ++cursor.view;
}

static inline int64_t RowOffset(const KvCursor& cursor, int64_t position) {
  const KvView& view = *cursor.view;
  return (position - view.first_position) * view.row_stride + cursor.kv_head * view.head_stride;
}

// Rows [row_begin, row_end) of one head.
template <class S, class Units>
class SparseBlock : AttentionBlock<S, Units> {
  using Base = AttentionBlock<S, Units>;
  using T = AttentionTiles<S>;
  static constexpr int64_t kValues = Units::Dot::kValuesPerUnit;

 public:
  // `one`: of OfOneHead.
  SparseBlock(const AttentionParams& one, const KvViews& kv, int64_t kv_head, int64_t row_begin,
              int64_t row_end, void* scratch)
      : Base(one, 0, row_begin, row_end, scratch), cursor_{kv.views, kv_head} {}

  // next(&run): the cover's runs, ascending, up to the row block's end. False when cancelled.
  template <class Next>
  bool Run(Next next) {
    this->LoadQueries();
    const int64_t own = this->p_.first_position + this->row_begin_;
    for (index::Range run; next(&run);) {
      for (int64_t key = run.begin; key < Min(run.end, own);) {
        key += Gather(key, Min(run.end, own));
        if (coming_->count == T::kKeys && !AttendGathered()) return false;
      }
      if (run.end <= own) continue;
      // Twice: one tile is under way, and one is being filled.
      if (!AttendGathered() || !AttendGathered()) return false;
      for (int64_t key = Max(run.begin, own); key < run.end;) {
        const int64_t tile = key;
        while (key < run.end && coming_->count < T::kKeys) key += Gather(key, run.end);
        Attend(*coming_, tile);
        coming_->count = 0;
      }
    }
    return AttendGathered() && AttendGathered();
  }

  void Store(const SparseAttentionParams& p, int64_t head) {
    for (int64_t i = this->row_begin_; i < this->row_end_; ++i) {
      float* out = p.out + i * p.out_row_stride + head * p.out_head_stride;
      p.lse[i * p.heads + head] = this->FinishRow(i - this->row_begin_, out);
    }
  }

  float* rest() const { return this->s_.rest; }

 private:
  struct Tile {
    int64_t count = 0;
    const void* k[T::kKeys];
    const void* v[T::kKeys];
  };

  // Appends keys from `key` on: as many as fit, lie before `end` and in one view. Their rows are
  // fetched while the tile before is attended.
  int64_t Gather(int64_t key, int64_t end) {
    SeekView(cursor_, key);
    const KvView& view = *cursor_.view;
    const int64_t count = Min(Min(end, ViewEnd(view)) - key, T::kKeys - coming_->count);
    int64_t offset = RowOffset(cursor_, key);
    for (int64_t i = 0; i < count; ++i) {
      const void* k = ElementAt(view.k, view.type, offset);
      const void* v = ElementAt(view.v, view.type, offset);
      this->PrefetchRow(k);
      this->PrefetchRow(v);
      coming_->k[coming_->count] = k;
      coming_->v[coming_->count] = v;
      ++coming_->count;
      offset += view.row_stride;
    }
    return count;
  }

  // Attends the tile under way, and puts the gathered one in its place.
  bool AttendGathered() {
    if (Cancelled(this->p_)) return false;
    // These keys lie left of every row, and there are at most as many as positions there: read as
    // the positions from 0 on, the causal mask lets them all through.
    if (current_->count > 0) Attend(*current_, 0);
    Tile* done = current_;
    current_ = coming_;
    coming_ = done;
    coming_->count = 0;
    return true;
  }

  void Attend(const Tile& tile, int64_t position) {
    const int64_t stride = T::RowStride(this->p_.head_size);
    for (int64_t i = 0; i < tile.count; ++i) {
      Units::LoadKey(this->p_, tile.k[i], this->s_.k + i * stride);
    }
    for (int64_t i = 0; i < tile.count; i += kValues) {
      const void* next = kValues == 2 && i + 1 < tile.count ? tile.v[i + 1] : nullptr;
      Units::LoadValues(this->p_, tile.v[i], next, this->s_.v + i / kValues * stride);
    }
    this->FillTile(tile.count);
    for (int64_t panel = 0; panel < this->Panels(); ++panel) {
      this->AttendPanel(panel, position, tile.count);
    }
  }

  KvCursor cursor_;
  Tile tiles_[2];
  Tile* current_ = &tiles_[0];
  Tile* coming_ = &tiles_[1];
};

template <class S>
inline float DotOf(const float* a, const float* b, int64_t n) {
  typename S::V sum = S::Zero();
  int64_t i = 0;
  for (; i + S::kWidth <= n; i += S::kWidth) sum = S::Fma(S::Load(a + i), S::Load(b + i), sum);
  float total = S::ReduceAdd(sum);
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

// The key blocks of a row block, in a thread's scratch.
struct ChosenBlocks {
  const index::Range* ranges;
  int64_t count;
};

template <class S>
inline ChosenBlocks ChooseBlocks(const SparseAttentionParams& p, int64_t head, int64_t row_begin,
                                 int64_t row_end, float* rest) {
  const int64_t d = p.head_size;
  const int64_t all = CeilDiv(p.kv.tokens, index::kKeyBlock);
  const int64_t seen = CeilDiv(p.first_position + row_end, index::kKeyBlock);
  float* mean = rest;
  auto* histogram = reinterpret_cast<int32_t*>(mean + RoundUp(d, 16));
  float* scores = reinterpret_cast<float*>(histogram + 2048);
  auto* ranges = reinterpret_cast<index::Range*>(scores + RoundUp(seen, 16));
  // The sum does as well as the mean: only the order counts.
  for (int64_t c = 0; c < d; ++c) mean[c] = 0.0f;
  for (int64_t i = row_begin; i < row_end; ++i) {
    const float* q = p.q + i * p.q_row_stride + head * p.q_head_stride;
    for (int64_t c = 0; c < d; ++c) mean[c] += q[c];
  }
  const float* means = p.key_means + head / (p.heads / p.kv_heads) * all * d;
  for (int64_t block = 0; block < seen; ++block) {
    scores[block] = DotOf<S>(mean, means + block * d, d);
  }
  const int64_t count =
      index::SelectBlocks(scores, p.first_position + row_begin, p.first_position + row_end,
                          p.covers[head].blocks, histogram, ranges);
  return {ranges, count};
}

// scores, histogram, mean and the ranges, of which there is at most one for two blocks.
static_assert(kMaxKeyBlocks * 4 + 2048 * 4 + 256 * 4 + (kMaxKeyBlocks / 2 + 1) * 16 + 128 <=
              (int64_t{1} << 20));

template <class S, class Units>
inline void AttendSparseBlock(const SparseAttentionParams& p, int64_t head, int64_t row_begin,
                              int64_t row_end, void* scratch) {
  const AttentionParams one = OfOneHead(p, head);
  SparseBlock<S, Units> block(one, p.kv, head / (p.heads / p.kv_heads), row_begin, row_end,
                              scratch);
  const int64_t first = p.first_position + row_begin;
  const int64_t end = p.first_position + row_end;
  const HeadCover& cover = p.covers[head];
  bool done = false;
  if (cover.kind == index::PatternKind::kDense) {
    bool given = false;
    done = block.Run([&](index::Range* run) {
      *run = {0, end};
      const bool first_call = !given;
      given = true;
      return first_call;
    });
  } else if (cover.kind == index::PatternKind::kBlockSparse) {
    const ChosenBlocks chosen = ChooseBlocks<S>(p, head, row_begin, row_end, block.rest());
    int64_t i = 0;
    done = block.Run([&](index::Range* run) {
      if (i == chosen.count) return false;
      *run = chosen.ranges[i++];
      return true;
    });
  } else {
    index::CoverWalk walk = index::StartCover(cover.lines, first, end);
    done = block.Run([&](index::Range* run) { return index::NextCovered(walk, run); });
  }
  if (done) block.Store(p, head);
}

template <class S, class Units>
inline void SparseAttentionOn(ThreadPool& pool, const SparseAttentionParams& p) {
  // Dense heads come first, in higher blocks: they are the long tasks. Within both kinds the last
  // rows, which see the most keys.
  const int64_t dense_rows = AttentionTiles<S>::BlockRows(p.head_size);
  const int64_t dense_blocks = CeilDiv(p.rows, dense_rows);
  const int64_t sparse_blocks = CeilDiv(p.rows, kSparseRows);
  const auto dense = [&](int64_t head) {
    return p.covers[head].kind == index::PatternKind::kDense;
  };
  int64_t dense_heads = 0;
  for (int64_t head = 0; head < p.heads; ++head) dense_heads += dense(head) ? 1 : 0;
  const int64_t dense_tasks = dense_heads * dense_blocks;
  const int64_t sparse_heads = p.heads - dense_heads;
  // The n-th head of its kind.
  const auto head_of = [&](bool kind, int64_t n) {
    for (int64_t head = 0;; ++head) {
      if (dense(head) == kind && n-- == 0) return head;
    }
  };
  pool.ParallelFor(dense_tasks + sparse_heads * sparse_blocks, [&](int64_t task, int thread) {
    if (p.cancel != nullptr && p.cancel->load(std::memory_order_relaxed)) return;
    const bool kind = task < dense_tasks;
    const int64_t heads = kind ? dense_heads : sparse_heads;
    const int64_t n = kind ? task : task - dense_tasks;
    const int64_t height = kind ? dense_rows : kSparseRows;
    const int64_t begin = ((kind ? dense_blocks : sparse_blocks) - 1 - n / heads) * height;
    AttendSparseBlock<S, Units>(p, head_of(kind, n % heads), begin, Min(begin + height, p.rows),
                                pool.Scratch(thread));
  });
}

template <class S, class PairDot>
void SparseAttentionFor(ThreadPool& pool, const SparseAttentionParams& p) {
  if (p.rows <= 0) return;
  if constexpr (!__is_same(PairDot, void)) {
    using Paired = PairedTile<S, PairDot>;
    if (Paired::Fits(OfOneHead(p, 0))) return SparseAttentionOn<S, Paired>(pool, p);
  }
  SparseAttentionOn<S, WidenedTile<S>>(pool, p);
}

template <class S>
void KeyMeansFor(ThreadPool& pool, const KeyMeansParams& p) {
  const int64_t blocks = CeilDiv(p.kv.tokens, index::kKeyBlock);
  pool.ParallelFor(blocks, [&](int64_t block, int thread) {
    float* row = static_cast<float*>(pool.Scratch(thread));
    const int64_t begin = block * index::kKeyBlock;
    const int64_t end = Min(begin + index::kKeyBlock, p.kv.tokens);
    const float inverse = 1.0f / static_cast<float>(end - begin);
    for (int64_t head = 0; head < p.kv_heads; ++head) {
      float* mean = p.means + (head * blocks + block) * p.head_size;
      for (int64_t c = 0; c < p.head_size; ++c) mean[c] = 0.0f;
      KvCursor cursor = {p.kv.views, head};
      for (int64_t key = begin; key < end; ++key) {
        SeekView(cursor, key);
        const KvView& view = *cursor.view;
        WidenRow<S>(ElementAt(view.k, view.type, RowOffset(cursor, key)), view.type, row,
                    p.head_size);
        for (int64_t c = 0; c < p.head_size; ++c) mean[c] += row[c];
      }
      for (int64_t c = 0; c < p.head_size; ++c) mean[c] *= inverse;
    }
  });
}

}  // namespace longsight::cpu

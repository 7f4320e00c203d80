#include "cuda/chunk_attention.h"

#include <algorithm>
#include <vector>

#include "index/area.h"
#include "index/select.h"

namespace longsight::cuda {
namespace {

// Fewer rows leave most of a prefill tile empty, and most of the device without a tile.
constexpr int64_t kLeastPrefillRows = 512;

bool HasPrefillKernel(int64_t head_size) {
  return head_size == 64 || head_size == 96 || head_size == 128;
}

// Everything in the workspace, placed by one piece of code.
struct Layout {
  int64_t bytes = 0;
  float* columns;
  float* bands;
  float* probe_lse;
  void* probe_workspace;
  void* blocks_workspace;
  HeadReport* reports;
  int32_t* next_task;
  Lines lines;
  // K and V of all tokens, where they come in several runs.
  std::byte* keys;
  std::byte* values;

  // With a null base it only counts.
  Layout(const SparseChunkShape& s, std::byte* base) : base_(base) {
    const int64_t bands_per_head = index::DivideUp(s.tokens, index::kBandOffsets);
    const int64_t row_blocks = index::DivideUp(s.rows, kSparseRows);
    columns = Place<float>(s.heads * s.tokens);
    bands = Place<float>(s.heads * bands_per_head);
    probe_lse = Place<float>(s.heads * index::kProbeRows);
    probe_workspace = Place<std::byte>(static_cast<int64_t>(ProbeWorkspaceBytes(s.heads)));
    blocks_workspace = Place<std::byte>(static_cast<int64_t>(
        ChooseBlocksWorkspaceBytes(s.heads, s.kv_heads, s.head_size, s.rows, s.tokens)));
    reports = Place<HeadReport>(s.heads);
    next_task = Place<int32_t>(1);
    lines.heads = Place<HeadLines>(s.heads);
    lines.column_capacity = ColumnCapacity(s.tokens);
    lines.columns = Place<int32_t>(s.heads * lines.column_capacity);
    lines.band_capacity = BandCapacity(s.tokens);
    lines.bands = Place<Band>(s.heads * lines.band_capacity);
    lines.block_capacity = MostBlocks(s.tokens);
    lines.blocks = Place<int32_t>(s.heads * row_blocks * lines.block_capacity);
    lines.order = Place<int32_t>(s.heads);
    const int64_t kv_bytes = s.tokens * s.kv_heads * s.head_size * 2;
    keys = Place<std::byte>(kv_bytes);
    values = Place<std::byte>(kv_bytes);
  }

  // Blocks that a block-sparse head may keep per row block; the published patterns say 100, and a
  // search tries up to twice the lines' budget.
  static int64_t MostBlocks(int64_t tokens) {
    return std::max<int64_t>(512, 2 * index::FirstBudget(tokens) / index::kKeyBlock);
  }

 private:
  template <class T>
  T* Place(int64_t count) {
    constexpr int64_t kAlignment = 256;
    T* const place = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + bytes);
    bytes += index::DivideUp(count * static_cast<int64_t>(sizeof(T)), kAlignment) * kAlignment;
    return place;
  }

  std::byte* base_;
};

Layout LayoutOf(const SparseChunkParams& p) {
  return Layout(p.shape, static_cast<std::byte*>(p.workspace));
}

int64_t ProbeRows(const SparseChunkParams& p) { return std::min(index::kProbeRows, p.shape.rows); }

Launched Of(cudaError_t error, const char* what) { return {static_cast<int>(error), what}; }

bool NeedsGather(const SparseChunkParams& p) {
  return p.run_count > 1 || p.kv_type == DType::kE4M3;
}

// One run of all tokens: the only one there is, or what Gather makes.
KvRun WholeRun(const SparseChunkParams& p, const Layout& layout) {
  if (!NeedsGather(p)) return p.runs[0];
  return {layout.keys,       layout.values,  p.shape.kv_heads * p.shape.head_size,
          p.shape.head_size, p.shape.tokens, 0};
}

// `tokens` of a run, from its token `first` on, as bf16 at `keys` and `values`.
Launched CopyRun(const CachedRun& run, int64_t first, int64_t tokens, DType type, int64_t kv_heads,
                 int64_t head_size, void* keys, void* values, cudaStream_t stream) {
  const auto copy = [&](const void* from, const void* scales, void* to) {
    const int64_t row = kv_heads * head_size;
    if (type == DType::kBF16) {
      return cudaMemcpyAsync(to, static_cast<const std::byte*>(from) + first * row * 2,
                             static_cast<size_t>(tokens * row * 2), cudaMemcpyDeviceToDevice,
                             stream);
    }
    return Dequantize({static_cast<const std::byte*>(from) + first * row,
                       static_cast<const std::byte*>(scales) + first * kv_heads * 2, to, tokens,
                       kv_heads, head_size, stream});
  };
  cudaError_t error = copy(run.k, run.k_scales, keys);
  if (error == cudaSuccess) error = copy(run.v, run.v_scales, values);
  return Of(error, "gathering keys and values");
}

// The kernels read one run of bf16. Copying it together costs a few milliseconds at a million
// tokens.
Launched Gather(const SparseChunkParams& p, const Layout& layout) {
  if (!NeedsGather(p)) return {};
  const int64_t row_bytes = p.shape.kv_heads * p.shape.head_size * 2;
  for (int64_t i = 0; i < p.run_count; ++i) {
    const CachedRun& run = p.runs[i];
    const int64_t at = run.first_position * row_bytes;
    const Launched launched =
        CopyRun(run, 0, run.tokens, p.kv_type, p.shape.kv_heads, p.shape.head_size,
                layout.keys + at, layout.values + at, p.stream);
    if (!launched.ok()) return launched;
  }
  return {};
}

// The patterns, but no head with more blocks than the lists hold.
std::vector<index::HeadPattern> Bounded(const SparseChunkParams& p) {
  std::vector<index::HeadPattern> patterns(p.patterns, p.patterns + p.shape.heads);
  for (index::HeadPattern& pattern : patterns) {
    if (pattern.kind != index::PatternKind::kBlockSparse) continue;
    pattern.a = std::min(pattern.a, Layout::MostBlocks(p.shape.tokens));
  }
  return patterns;
}

Launched ChooseBlocksOfChunk(const SparseChunkParams& p,
                             const std::vector<index::HeadPattern>& patterns, const Layout& layout,
                             const KvRun& kv) {
  std::vector<int64_t> wanted;
  for (const index::HeadPattern& pattern : patterns) {
    wanted.push_back(pattern.kind == index::PatternKind::kBlockSparse ? pattern.a : 0);
  }
  ChooseBlocksParams c{};
  c.q = p.q;
  c.q_row_stride = p.q_row_stride;
  c.q_head_stride = p.shape.head_size;
  c.rows = p.shape.rows;
  c.heads = p.shape.heads;
  c.kv_heads = p.shape.kv_heads;
  c.head_size = p.shape.head_size;
  c.first_position = p.first_position;
  c.kv = kv;
  c.lines = layout.lines;
  c.blocks = wanted.data();
  c.workspace = layout.blocks_workspace;
  c.stream = p.stream;
  return ChooseBlocks(c);
}

}  // namespace

int64_t WidenedBytes(int64_t kv_heads, int64_t head_size) {
  return 2 * kWidenedTokens * kv_heads * head_size * 2;
}

Launched AttendChunk(const AttentionDecodeParams& p, void* widened) {
  if (p.rows < kLeastPrefillRows || !HasPrefillKernel(p.head_size)) {
    return Of(AttentionDecode(p), "attending");
  }
  PrefillParams a{};
  a.q = p.q;
  a.q_row_stride = p.q_row_stride;
  a.q_head_stride = a.out_head_stride = p.head_size;
  a.rows = p.rows;
  a.heads = p.heads;
  a.kv_heads = p.kv_heads;
  a.head_size = p.head_size;
  a.first_position = p.first_position;
  a.window = p.window;
  a.scale = p.scale;
  a.out = p.out;
  a.out_row_stride = p.out_row_stride;
  a.lse = p.lse;
  a.next_task = static_cast<int32_t*>(p.workspace);
  a.stream = p.stream;
  for (int64_t i = 0; i < p.run_count; ++i) {
    const CachedRun& run = p.runs[i];
    const bool narrow = p.kv_type == DType::kE4M3;
    const int64_t step = narrow ? kWidenedTokens : run.tokens;
    for (int64_t token = 0; token < run.tokens; token += step) {
      a.kv = run;
      if (narrow) {
        auto* const keys = static_cast<std::byte*>(widened);
        std::byte* const values = keys + WidenedBytes(p.kv_heads, p.head_size) / 2;
        a.kv.k = keys;
        a.kv.v = values;
        a.kv.tokens = std::min(step, run.tokens - token);
        a.kv.first_position += token;
        const Launched copied = CopyRun(run, token, a.kv.tokens, p.kv_type, p.kv_heads, p.head_size,
                                        keys, values, p.stream);
        if (!copied.ok()) return copied;
      }
      const Launched launched = PrefillAttention(a);
      if (!launched.ok()) return launched;
      a.merge = true;
    }
  }
  return {};
}

int64_t SparseChunkBytes(const SparseChunkShape& shape) { return Layout(shape, nullptr).bytes; }

Launched ChooseSparseChunk(const SparseChunkParams& p) {
  const Layout layout = LayoutOf(p);
  Launched launched = Gather(p, layout);
  if (!launched.ok()) return launched;
  const KvRun kv = WholeRun(p, layout);
  const int64_t probe_rows = ProbeRows(p);

  ProbeParams probe{};
  probe.q = static_cast<const std::byte*>(p.q) + (p.shape.rows - probe_rows) * p.q_row_stride * 2;
  probe.q_row_stride = p.q_row_stride;
  probe.q_head_stride = p.shape.head_size;
  probe.rows = probe_rows;
  probe.heads = p.shape.heads;
  probe.kv_heads = p.shape.kv_heads;
  probe.head_size = p.shape.head_size;
  probe.scale = p.scale;
  probe.kv = kv;
  probe.columns = layout.columns;
  probe.bands = layout.bands;
  probe.lse = layout.probe_lse;
  probe.workspace = layout.probe_workspace;
  probe.stream = p.stream;
  launched = Probe(probe);
  if (!launched.ok()) return launched;

  const std::vector<index::HeadPattern> patterns = Bounded(p);
  launched = ChooseBlocksOfChunk(p, patterns, layout, kv);
  if (!launched.ok()) return launched;

  ChooseLinesParams choose{};
  choose.patterns = patterns.data();
  choose.heads = p.shape.heads;
  choose.first_position = p.first_position;
  choose.rows = p.shape.rows;
  choose.probe_rows = probe_rows;
  choose.columns = layout.columns;
  choose.bands = layout.bands;
  choose.recall_floor = p.recall_floor;
  choose.area = p.area;
  choose.lines = layout.lines;
  choose.reports = layout.reports;
  choose.stream = p.stream;
  return ChooseLines(choose);
}

Launched AttendSparseChunk(const SparseChunkParams& p) {
  const Layout layout = LayoutOf(p);
  SparsePrefillParams a{};
  a.q = p.q;
  a.q_row_stride = p.q_row_stride;
  a.q_head_stride = a.out_head_stride = p.shape.head_size;
  a.rows = p.shape.rows;
  a.heads = p.shape.heads;
  a.kv_heads = p.shape.kv_heads;
  a.head_size = p.shape.head_size;
  a.first_position = p.first_position;
  a.scale = p.scale;
  a.kv = WholeRun(p, layout);
  a.lines = layout.lines;
  a.out = p.out;
  a.out_row_stride = p.out_row_stride;
  a.lse = p.lse;
  a.next_task = layout.next_task;
  a.stream = p.stream;
  return SparsePrefillAttention(a);
}

Launched MeasureSparseChunk(const SparseChunkParams& p) {
  const Layout layout = LayoutOf(p);
  return MeasureRecall({layout.lines.heads, p.shape.heads, p.shape.rows, ProbeRows(p), p.lse,
                        layout.probe_lse, layout.reports, p.stream});
}

const HeadReport* SparseChunkReports(const SparseChunkParams& p) { return LayoutOf(p).reports; }

}  // namespace longsight::cuda

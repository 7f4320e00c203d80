#include <cmath>

#include "cases.h"
#include "index/area.h"
#include "inputs.h"

namespace longsight::bench {
namespace {

using index::Range;

// The last rows of a long context, as a chunk of a prefill has them.
struct Chunk {
  int64_t rows, tokens, heads, kv_heads, head_size;

  explicit Chunk(bool quick)
      : rows(quick ? 512 : 2048),
        tokens(quick ? 32768 : 131072),
        heads(8),
        kv_heads(2),
        head_size(64),
        q(RandomFloats(rows * heads * head_size, 1.0f)),
        k(RandomBf16(tokens * kv_heads * head_size, 1.0f)),
        v(RandomBf16(tokens * kv_heads * head_size, 1.0f)),
        view{k.data(), v.data(), cpu::DType::kBF16, kv_heads * head_size, head_size, tokens, 0} {}

  cpu::KvViews kv() const { return {&view, 1, tokens}; }
  std::string Name(const std::string& what) const {
    return std::to_string(rows) + " rows on " + std::to_string(tokens) + " tokens, " +
           std::to_string(heads) + " on " + std::to_string(kv_heads) + " heads of " +
           std::to_string(head_size) + ", " + what;
  }

  std::vector<float> q;
  std::vector<uint16_t> k, v;
  cpu::KvView view;
};

struct Cover {
  std::string name;
  cpu::HeadCover cover;
};

Row MeasureSparse(const BenchContext& c, const Chunk& chunk, const Cover& of, Limit limit) {
  std::vector<float> out(chunk.q.size());
  std::vector<float> lse(static_cast<size_t>(chunk.rows * chunk.heads));
  const std::vector<cpu::HeadCover> covers(static_cast<size_t>(chunk.heads), of.cover);
  std::vector<float> means(static_cast<size_t>(chunk.kv_heads * chunk.head_size *
                                               index::DivideUp(chunk.tokens, index::kKeyBlock)));
  c.ops.key_means(c.pool, {chunk.kv(), chunk.kv_heads, chunk.head_size, means.data()});
  cpu::SparseAttentionParams p{};
  p.q = chunk.q.data();
  p.q_row_stride = p.out_row_stride = chunk.heads * chunk.head_size;
  p.q_head_stride = p.out_head_stride = chunk.head_size;
  p.rows = chunk.rows;
  p.heads = chunk.heads;
  p.kv_heads = chunk.kv_heads;
  p.head_size = chunk.head_size;
  p.first_position = chunk.tokens - chunk.rows;
  p.scale = 1.0f / std::sqrt(static_cast<float>(chunk.head_size));
  p.kv = chunk.kv();
  p.covers = covers.data();
  p.key_means = means.data();
  p.out = out.data();
  p.lse = lse.data();
  p.round_activations = limit == Limit::kBf16Dot;
  const double pairs = of.cover.kind == index::PatternKind::kBlockSparse
                           ? static_cast<double>(chunk.rows * of.cover.blocks * index::kKeyBlock)
                           : index::CoveredArea(of.cover.lines, p.first_position, chunk.rows,
                                                cpu::kSparseRows, chunk.rows);
  const double work = 4.0 * pairs * static_cast<double>(chunk.heads * chunk.head_size);
  return Measure(c, "attention, sparse", chunk.Name(of.name), limit, work,
                 [&] { c.ops.sparse_attention(c.pool, p); });
}

Row MeasureProbe(const BenchContext& c, const Chunk& chunk, Limit limit) {
  const int64_t group = chunk.heads / chunk.kv_heads;
  std::vector<float> columns(static_cast<size_t>(group * chunk.tokens));
  std::vector<float> bands(
      static_cast<size_t>(group * index::DivideUp(chunk.tokens, index::kBandOffsets)));
  std::vector<float> lse(static_cast<size_t>(group * index::kProbeRows));
  std::vector<float> workspace(static_cast<size_t>(cpu::ProbeWorkspaceFloats(group, chunk.tokens)));
  cpu::ProbeParams p{};
  p.q = chunk.q.data();
  p.q_row_stride = chunk.heads * chunk.head_size;
  p.q_head_stride = chunk.head_size;
  p.rows = index::kProbeRows;
  p.heads = group;
  p.head_size = chunk.head_size;
  p.scale = 1.0f / std::sqrt(static_cast<float>(chunk.head_size));
  p.kv = chunk.kv();
  p.columns = columns.data();
  p.bands = bands.data();
  p.lse = lse.data();
  p.workspace = workspace.data();
  p.round_activations = limit == Limit::kBf16Dot;
  // Every score twice.
  const double work = 2 * 2.0 * static_cast<double>(index::kProbeRows * chunk.tokens * group) *
                      static_cast<double>(chunk.head_size);
  return Measure(c, "probe", chunk.Name("one KV head"), limit, work,
                 [&] { c.ops.probe(c.pool, p); });
}

Row MeasureKeyMeans(const BenchContext& c, const Chunk& chunk) {
  std::vector<float> means(static_cast<size_t>(chunk.kv_heads * chunk.head_size *
                                               index::DivideUp(chunk.tokens, index::kKeyBlock)));
  const cpu::KeyMeansParams p = {chunk.kv(), chunk.kv_heads, chunk.head_size, means.data()};
  const double work = 2.0 * static_cast<double>(chunk.tokens * chunk.kv_heads * chunk.head_size);
  return Measure(c, "key means", chunk.Name("bf16"), Limit::kRead, work,
                 [&] { c.ops.key_means(c.pool, p); });
}

}  // namespace

void BenchSparse(const BenchContext& c, std::vector<Row>& rows) {
  const Chunk chunk(c.quick);
  const Limit limit = c.meter.HasBf16Dot() ? Limit::kBf16Dot : Limit::kFma;
  // The first keys and the nearest offsets beside either kind of line, some 5,000 keys to a row.
  std::vector<Range> columns = {{0, index::kFirstColumns}}, bands = {{0, index::kNearestOffsets}};
  const std::vector<Range> first_columns = columns, nearest = bands;
  for (int64_t key = 64; key < chunk.tokens - 1024; key += chunk.tokens / 5000) {
    columns.push_back({key, key + 1});
  }
  for (int64_t offset = 512; offset < chunk.tokens - 1024; offset += chunk.tokens / 45) {
    bands.push_back({offset, offset + index::kBandOffsets});
  }
  const auto lines = [](const std::vector<Range>& of_bands, const std::vector<Range>& of_columns) {
    return index::Lines{of_bands.data(), static_cast<int64_t>(of_bands.size()), of_columns.data(),
                        static_cast<int64_t>(of_columns.size())};
  };
  using index::PatternKind;
  for (const Cover& of :
       {Cover{"loose columns", {PatternKind::kVerticalSlash, lines(nearest, columns), 0}},
        Cover{"bands of slashes", {PatternKind::kVerticalSlash, lines(bands, first_columns), 0}},
        Cover{"80 key blocks", {PatternKind::kBlockSparse, {}, 80}}}) {
    rows.push_back(MeasureSparse(c, chunk, of, limit));
  }
  rows.push_back(MeasureProbe(c, chunk, limit));
  rows.push_back(MeasureKeyMeans(c, chunk));
}

}  // namespace longsight::bench

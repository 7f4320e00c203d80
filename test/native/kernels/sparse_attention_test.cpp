// Sparse attention, the probe and the key means against their oracles: every pattern, heads of one
// group with different lines, chunks that begin anywhere, keys in several views.
#include <algorithm>
#include <cmath>

#include "check.h"
#include "cpu/thread_pool.h"
#include "index/pattern.h"
#include "stored.h"
#include "tables.h"

namespace longsight::test {
namespace {

using index::PatternKind;
using index::Range;

struct Shape {
  int64_t first_position, rows, heads, kv_heads, head_size, views;
};

// K and V of one layer, cut into views that lie apart.
struct Cache {
  std::vector<Stored> k, v;
  std::vector<cpu::KvView> views;
  std::vector<float> all_k, all_v;  // as stored

  cpu::KvViews kv() const {
    return {views.data(), static_cast<int64_t>(views.size()),
            views.back().first_position + views.back().tokens};
  }
};

Cache MakeCache(Random& random, const Shape& s, cpu::DType type, float spread) {
  Cache cache;
  const int64_t tokens = s.first_position + s.rows, width = s.kv_heads * s.head_size;
  int64_t begin = 0;
  for (int64_t i = 0; i < s.views; ++i) {
    const int64_t end = i + 1 == s.views ? tokens : random.Integer(begin, tokens);
    cache.k.push_back(Store(random.Floats((end - begin) * width, spread), type));
    cache.v.push_back(Store(random.Floats((end - begin) * width, 1.0f), type));
    const auto append = [](std::vector<float>& all, const Stored& part) {
      all.insert(all.end(), part.values.begin(), part.values.end());
    };
    append(cache.all_k, cache.k.back());
    append(cache.all_v, cache.v.back());
    cache.views.push_back({cache.k.back().data(), cache.v.back().data(), type, width, s.head_size,
                           end - begin, begin});
    begin = end;
  }
  return cache;
}

// A head's cover, and the same for the oracle.
struct HeadCase {
  PatternKind kind;
  std::vector<Range> bands, columns;
  int64_t blocks = 0;

  cpu::HeadCover cover() const {
    return {kind,
            {bands.data(), static_cast<int64_t>(bands.size()), columns.data(),
             static_cast<int64_t>(columns.size())},
            blocks};
  }
  reference::Kept kept() const {
    reference::Kept kept{kind == PatternKind::kDense, {}, {}, blocks, index::kKeyBlock};
    for (const Range& r : bands) {
      for (int64_t i = r.begin; i < r.end; ++i) kept.offsets.push_back(i);
    }
    for (const Range& r : columns) {
      for (int64_t i = r.begin; i < r.end; ++i) kept.columns.push_back(i);
    }
    return kept;
  }
};

std::vector<Range> RandomRanges(Random& random, int64_t from, int64_t limit, int64_t count,
                                int64_t longest) {
  std::vector<Range> ranges;
  for (int64_t i = 0, at = from; i < count && at < limit; ++i) {
    const int64_t end = std::min(limit, at + random.Integer(1, longest));
    ranges.push_back({at, end});
    at = end + random.Integer(1, 1 + 2 * limit / (count + 1));
  }
  return ranges;
}

HeadCase RandomHead(Random& random, int64_t tokens) {
  switch (random.Integer(0, 5)) {
    case 0:
      return {PatternKind::kDense, {}, {}, 0};
    case 1: {  // A-shape
      HeadCase head{PatternKind::kAShape, {{}}, {{}}, 0};
      const index::Lines lines =
          index::AShapeLines({PatternKind::kAShape, random.Integer(0, 60), random.Integer(0, 200)},
                             head.bands.data(), head.columns.data());
      head.columns.resize(static_cast<size_t>(lines.column_count));
      return head;
    }
    case 2:
      return {PatternKind::kBlockSparse, {}, {}, random.Integer(1, 12)};
    case 3:  // nothing but one line: rows may see no key at all
      return {PatternKind::kVerticalSlash, {}, {{random.Integer(0, tokens - 1), tokens}}, 0};
    default: {
      HeadCase head{PatternKind::kVerticalSlash,
                    RandomRanges(random, 0, tokens, random.Integer(0, 9), 40),
                    RandomRanges(random, 0, tokens, random.Integer(0, 30), 5), 0};
      if (!head.bands.empty()) head.bands[0].begin = 0;
      return head;
    }
  }
}

struct Result {
  std::vector<float> out, lse;
};

Result Run(cpu::ThreadPool& pool, const cpu::OpTable& ops, const Shape& s, const Cache& cache,
           const std::vector<float>& q, const std::vector<HeadCase>& heads, bool rounded) {
  std::vector<cpu::HeadCover> covers;
  for (const HeadCase& head : heads) covers.push_back(head.cover());
  const int64_t tokens = s.first_position + s.rows;
  const int64_t key_blocks = (tokens + index::kKeyBlock - 1) / index::kKeyBlock;
  std::vector<float> means(static_cast<size_t>(s.kv_heads * key_blocks * s.head_size), 7.0f);
  ops.key_means(pool, {cache.kv(), s.kv_heads, s.head_size, means.data()});
  Result result;
  // Filled with a wrong number, which no row may keep.
  result.out.assign(q.size(), 7.0f);
  result.lse.assign(static_cast<size_t>(s.rows * s.heads), 7.0f);
  cpu::SparseAttentionParams p{};
  p.q = q.data();
  p.q_row_stride = p.out_row_stride = s.heads * s.head_size;
  p.q_head_stride = p.out_head_stride = s.head_size;
  p.rows = s.rows;
  p.heads = s.heads;
  p.kv_heads = s.kv_heads;
  p.head_size = s.head_size;
  p.first_position = s.first_position;
  p.scale = 1.0f / std::sqrt(static_cast<float>(s.head_size));
  p.kv = cache.kv();
  p.covers = covers.data();
  p.key_means = means.data();
  p.out = result.out.data();
  p.lse = result.lse.data();
  p.round_activations = rounded;
  ops.sparse_attention(pool, p);
  return result;
}

void TestShape(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random, const Shape& s,
               cpu::DType type, bool rounded, const std::vector<HeadCase>& given) {
  const int64_t tokens = s.first_position + s.rows;
  const std::string what = std::string("sparse ") + ops.name + " " + TypeName(type) + " rows " +
                           std::to_string(s.rows) + " at " + std::to_string(s.first_position) +
                           ", heads " + std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) +
                           " of " + std::to_string(s.head_size) + ", views " +
                           std::to_string(s.views) + (rounded ? ", rounded" : "");
  std::vector<HeadCase> heads = given;
  for (auto h = static_cast<int64_t>(heads.size()); h < s.heads; ++h) {
    heads.push_back(RandomHead(random, tokens));
  }
  std::vector<reference::Kept> kept;
  for (const HeadCase& head : heads) kept.push_back(head.kept());
  // Where two key blocks are as good as equal, either choice is right: draw again.
  for (int attempt = 0; attempt < 10; ++attempt) {
    const Cache cache = MakeCache(random, s, type, 2.0f);
    const std::vector<float> q = Store(random.Floats(s.rows * s.heads * s.head_size, 2.0f),
                                       rounded ? cpu::DType::kBF16 : cpu::DType::kF32)
                                     .values;
    double margin = 0;
    const reference::Attended expected = reference::AttendKept(
        {s.rows, s.heads, s.kv_heads, s.head_size, tokens, s.first_position, 0, 0,
         static_cast<double>(1.0f / std::sqrt(static_cast<float>(s.head_size))), q.data(),
         cache.all_k.data(), cache.all_v.data()},
        kept, cpu::kSparseRows, &margin);
    if (margin < 1e-3) continue;
    const Result actual = Run(pool, ops, s, cache, q, heads, rounded);
    const double tolerance = rounded ? 1.0 / 512 : 1e-5;
    CheckClose(actual.out, expected.out, tolerance, tolerance, what + " out");
    CheckClose(actual.lse, expected.lse, 4e-6, 2e-6, what + " lse");
    return;
  }
  Fail(what + ": no draw without a tie");
}

// All keys kept by whatever means equals dense attention to the last bits that order allows.
void TestAllKept(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  const Shape s{130, 233, 4, 2, 32, 2};
  const int64_t tokens = s.first_position + s.rows;
  const Cache cache = MakeCache(random, s, cpu::DType::kBF16, 2.0f);
  const std::vector<float> q = random.Floats(s.rows * s.heads * s.head_size, 2.0f);
  const HeadCase dense{PatternKind::kDense, {}, {}, 0};
  const Result expected = Run(pool, ops, s, cache, q, {dense, dense, dense, dense}, false);
  const HeadCase bands{PatternKind::kVerticalSlash, {{0, tokens}}, {}, 0};
  const HeadCase mixed{PatternKind::kVerticalSlash, {{0, 100}}, {{0, tokens}}, 0};
  const HeadCase blocks{PatternKind::kBlockSparse, {}, {}, tokens};
  const HeadCase shape{PatternKind::kAShape, {{0, 200}}, {{0, tokens}}, 0};
  const Result kept = Run(pool, ops, s, cache, q, {bands, mixed, blocks, shape}, false);
  const std::string what = std::string("all kept ") + ops.name;
  CheckClose(kept.out, {expected.out.begin(), expected.out.end()}, 2e-6, 2e-6, what + " out");
  CheckClose(kept.lse, {expected.lse.begin(), expected.lse.end()}, 2e-6, 2e-6, what + " lse");
}

void TestProbe(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random, const Shape& s,
               cpu::DType type, bool rounded) {
  const int64_t tokens = s.first_position + s.rows, group = s.heads / s.kv_heads;
  const std::string what = std::string("probe ") + ops.name + " " + TypeName(type) + " rows " +
                           std::to_string(s.rows) + " of " + std::to_string(tokens) + ", heads " +
                           std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) + " of " +
                           std::to_string(s.head_size);
  const Cache cache = MakeCache(random, s, type, 2.0f);
  const std::vector<float> q = Store(random.Floats(s.rows * s.heads * s.head_size, 2.0f),
                                     rounded ? cpu::DType::kBF16 : cpu::DType::kF32)
                                   .values;
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.head_size));
  const reference::Probed expected =
      reference::SumLines({s.rows, s.heads, s.kv_heads, s.head_size, tokens, s.first_position, 0, 0,
                           static_cast<double>(scale), q.data(), cache.all_k.data(),
                           cache.all_v.data(), index::kFirstColumns});
  const int64_t bands = (tokens + index::kBandOffsets - 1) / index::kBandOffsets;
  for (int64_t kv_head = 0; kv_head < s.kv_heads; ++kv_head) {
    std::vector<float> columns(static_cast<size_t>(group * tokens), 7.0f);
    std::vector<float> band_sums(static_cast<size_t>(group * bands), 7.0f);
    std::vector<float> lse(static_cast<size_t>(group * s.rows), 7.0f);
    std::vector<float> workspace(static_cast<size_t>(cpu::ProbeWorkspaceFloats(group, tokens)));
    cpu::ProbeParams p{};
    p.q = q.data() + kv_head * group * s.head_size;
    p.q_row_stride = s.heads * s.head_size;
    p.q_head_stride = s.head_size;
    p.rows = s.rows;
    p.heads = group;
    p.head_size = s.head_size;
    p.scale = scale;
    p.kv = cache.kv();
    p.kv_head = kv_head;
    p.columns = columns.data();
    p.bands = band_sums.data();
    p.lse = lse.data();
    p.workspace = workspace.data();
    p.round_activations = rounded;
    ops.probe(pool, p);
    for (int64_t h = 0; h < group; ++h) {
      const auto head = static_cast<size_t>(kv_head * group + h);
      const auto slice = [&](const std::vector<float>& all, int64_t n) {
        return std::vector<float>(all.begin() + h * n, all.begin() + (h + 1) * n);
      };
      CheckClose(slice(columns, tokens), expected.columns[head], 1e-5, 1e-5, what + " columns");
      CheckClose(slice(lse, s.rows), expected.lse[head], 4e-6, 2e-6, what + " lse");
      std::vector<double> expected_bands(static_cast<size_t>(bands));
      for (int64_t offset = 0; offset < tokens; ++offset) {
        expected_bands[static_cast<size_t>(offset / index::kBandOffsets)] +=
            expected.offsets[head][static_cast<size_t>(offset)];
      }
      CheckClose(slice(band_sums, bands), expected_bands, 1e-5, 1e-5, what + " bands");
    }
  }
}

void TestTable(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  const HeadCase dense{PatternKind::kDense, {}, {}, 0};
  // k = 0: no line at all; only columns; only the diagonal.
  const HeadCase nothing{PatternKind::kVerticalSlash, {}, {}, 0};
  const HeadCase column{PatternKind::kVerticalSlash, {}, {{0, 3}}, 0};
  const HeadCase diagonal{PatternKind::kVerticalSlash, {{0, 1}}, {}, 0};
  const HeadCase one_block{PatternKind::kBlockSparse, {}, {}, 1};
  TestShape(pool, ops, random, {0, 1, 2, 1, 16, 1}, cpu::DType::kBF16, true, {diagonal, dense});
  TestShape(pool, ops, random, {0, 301, 5, 5, 16, 1}, cpu::DType::kF32, false,
            {nothing, column, diagonal, one_block, dense});
  // A partial last block of one row, and borders everywhere.
  for (const int64_t rows : {1, 63, 64, 65, 95, 96, 97, 193}) {
    TestShape(pool, ops, random, {random.Integer(0, 400), rows, 4, 2, 32, random.Integer(1, 4)},
              cpu::DType::kBF16, random.Integer(0, 1) == 1, {});
  }
  for (int i = 0; i < 12; ++i) {
    const int64_t kv_heads = random.Integer(1, 2);
    const Shape s{random.Integer(0, 600),          random.Integer(1, 300),
                  kv_heads * random.Integer(1, 3), kv_heads,
                  8 * random.Integer(1, 10),       random.Integer(1, 3)};
    TestShape(pool, ops, random, s,
              random.Integer(0, 1) == 1 ? cpu::DType::kBF16 : cpu::DType::kF32,
              random.Integer(0, 1) == 1, {});
  }
  TestShape(pool, ops, random, {700, 130, 2, 1, 256, 2}, cpu::DType::kBF16, true, {});
  TestAllKept(pool, ops, random);

  TestProbe(pool, ops, random, {0, 1, 2, 1, 16, 1}, cpu::DType::kBF16, false);
  TestProbe(pool, ops, random, {0, 37, 3, 1, 64, 1}, cpu::DType::kF32, true);
  TestProbe(pool, ops, random, {4033, 64, 4, 2, 16, 3}, cpu::DType::kBF16, true);
  TestProbe(pool, ops, random, {4065, 64, 1, 1, 24, 2}, cpu::DType::kBF16, false);
  TestProbe(pool, ops, random, {8200, 29, 2, 2, 8, 2}, cpu::DType::kF32, false);
}

// Positions past 2^32, as a layer's last chunk would have them: lines and K/V lie far along, and
// only what is kept is read, so the keys before need not exist.
void TestFar(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  const int64_t far = (int64_t{1} << 32) + 12345, rows = 100, before = 300, d = 32;
  const int64_t kept_from = far - before;
  const std::vector<float> q = random.Floats(rows * d, 2.0f);
  const Stored k = Store(random.Floats((before + rows) * d, 2.0f), cpu::DType::kBF16);
  const Stored v = Store(random.Floats((before + rows) * d, 1.0f), cpu::DType::kBF16);
  const cpu::KvView views[2] = {
      {nullptr, nullptr, cpu::DType::kBF16, d, d, kept_from, 0},
      {k.data(), v.data(), cpu::DType::kBF16, d, d, before + rows, kept_from}};
  const Range bands[2] = {{0, 7}, {100, 116}};
  const Range columns[2] = {{kept_from + 3, kept_from + 9}, {far - 20, far + 50}};
  const cpu::HeadCover cover{PatternKind::kVerticalSlash, {bands, 2, columns, 2}, 0};
  std::vector<float> out(static_cast<size_t>(rows * d), 7.0f), lse(static_cast<size_t>(rows));
  cpu::SparseAttentionParams p{};
  p.q = q.data();
  p.q_row_stride = p.q_head_stride = p.out_row_stride = p.out_head_stride = d;
  p.rows = rows;
  p.heads = p.kv_heads = 1;
  p.head_size = d;
  p.first_position = far;
  p.scale = 0.2f;
  p.kv = {views, 2, far + rows};
  p.covers = &cover;
  p.out = out.data();
  p.lse = lse.data();
  ops.sparse_attention(pool, p);
  reference::Kept kept{false, {}, {}, 0, 0};
  for (const Range& r : bands) {
    for (int64_t i = r.begin; i < r.end; ++i) kept.offsets.push_back(i);
  }
  for (const Range& r : columns) {
    for (int64_t i = r.begin; i < r.end; ++i) kept.columns.push_back(i - kept_from);
  }
  double margin = 0;
  const reference::Attended expected =
      reference::AttendKept({rows, 1, 1, d, before + rows, before, 0, 0, static_cast<double>(0.2f),
                             q.data(), k.values.data(), v.values.data()},
                            {kept}, cpu::kSparseRows, &margin);
  CheckClose(out, expected.out, 1e-5, 1e-5, std::string("past 2^32 ") + ops.name);
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::Random random;
  for (const int threads : {1, 3}) {
    longsight::cpu::ThreadPool pool(threads);
    for (const longsight::cpu::OpTable* ops : longsight::test::TablesUnderTest()) {
      std::printf("%s, %d threads\n", ops->name, threads);
      longsight::test::TestTable(pool, *ops, random);
      longsight::test::TestFar(pool, *ops, random);
    }
  }
  return longsight::test::Result("sparse_attention_test");
}

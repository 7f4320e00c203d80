// What a chunk's heads see: the choice of lines on the GPU against the engine's on the CPU, that of
// blocks, and the recall that came of it, against fp64 loops.
#include <algorithm>
#include <cmath>
#include <limits>

#include "attention_shapes.h"
#include "drawn_choice.h"

namespace longsight::test {
namespace {

// Floor below 0: each pattern's own.
void CompareChoice(Random& random, int64_t first_position, int64_t rows, int64_t probe_rows,
                   double floor, const index::AreaBudget& area) {
  const int64_t tokens = first_position + rows;
  const std::vector<index::HeadPattern> patterns = {{PatternKind::kVerticalSlash, 1000, 6096, 0.6},
                                                    {PatternKind::kVerticalSlash, 30, 800, 0},
                                                    {PatternKind::kVerticalSlash, 3000, 200},
                                                    {PatternKind::kAShape, 100, 800},
                                                    {PatternKind::kBlockSparse, 20, 0, 0.4},
                                                    {PatternKind::kDense, 0, 0},
                                                    {PatternKind::kVerticalSlash, 0, 0}};
  const auto heads = static_cast<int64_t>(patterns.size());
  const int64_t band_count = index::DivideUp(tokens, index::kBandOffsets);
  std::vector<float> columns, bands;
  for (int64_t h = 0; h < heads; ++h) {
    const DrawnSums sums(random, tokens, probe_rows);
    columns.insert(columns.end(), sums.columns.begin(), sums.columns.end());
    bands.insert(bands.end(), sums.bands.begin(), sums.bands.end());
  }
  DeviceArray<float> device_columns(columns), device_bands(bands);
  const int64_t column_capacity = cuda::ColumnCapacity(tokens);
  const int64_t band_capacity = cuda::BandCapacity(tokens);
  DeviceArray<cuda::HeadLines> head_lines(static_cast<size_t>(heads));
  DeviceArray<int32_t> line_columns(static_cast<size_t>(heads * column_capacity));
  DeviceArray<cuda::Band> line_bands(static_cast<size_t>(heads * band_capacity));
  DeviceArray<int32_t> order(static_cast<size_t>(heads));
  DeviceArray<cuda::HeadReport> reports(static_cast<size_t>(heads));
  const int64_t row_blocks = index::DivideUp(rows, cuda::kSparseRows);
  const std::vector<int32_t> last_blocks = DrawnBlocks(random, first_position, rows);
  std::vector<int32_t> lists(static_cast<size_t>(heads * row_blocks * kBlockCapacity), 1);
  for (int64_t h = 1; h <= heads; ++h) {
    std::copy(last_blocks.begin(), last_blocks.end(),
              lists.begin() + (h * row_blocks - 1) * kBlockCapacity);
  }
  DeviceArray<int32_t> blocks(lists);
  const cuda::Launched launched = cuda::ChooseLines(
      {patterns.data(),
       heads,
       first_position,
       rows,
       probe_rows,
       device_columns.data(),
       device_bands.data(),
       floor,
       area,
       {head_lines.data(), line_columns.data(), column_capacity, line_bands.data(), band_capacity,
        blocks.data(), kBlockCapacity, order.data()},
       reports.data(),
       nullptr});
  char text[160];
  std::snprintf(text, sizeof text,
                "choice for %lld rows at %lld, probe %lld, floor %.2f, budget %lld%s",
                static_cast<long long>(rows), static_cast<long long>(first_position),
                static_cast<long long>(probe_rows), floor, static_cast<long long>(area.keys),
                area.fill ? " filled" : "");
  const std::string name = text;
  Check(launched.ok(), name + ": " + launched.what);
  Cuda(cudaDeviceSynchronize(), text);

  const std::vector<cuda::HeadLines> got = head_lines.Download();
  const std::vector<int32_t> got_columns = line_columns.Download();
  const std::vector<cuda::Band> got_bands = line_bands.Download();
  const std::vector<cuda::HeadReport> got_reports = reports.Download();
  const ChunkRows chunk = {first_position, rows, cuda::kSparseRows};
  for (int64_t h = 0; h < heads; ++h) {
    const auto at = static_cast<size_t>(h);
    const std::string of_head = name + ", head " + std::to_string(h);
    const ProbeSums probe = {columns.data() + h * tokens, bands.data() + h * band_count, tokens,
                             probe_rows};
    const double own_floor = floor >= 0 ? floor : patterns[at].recall_floor;
    HeadChoice expected;
    switch (patterns[at].kind) {
      case PatternKind::kDense:
        expected = ChooseDense(chunk);
        break;
      case PatternKind::kBlockSparse:
        expected = ChooseBlocksOrLines(
            patterns[at], chunk, probe, own_floor, area,
            RecallOf(last_blocks, probe.columns, first_position, rows, probe_rows));
        break;
      default:
        expected = ChooseLines(patterns[at], chunk, probe, own_floor, area);
    }
    Check(got[at].kind == static_cast<int32_t>(expected.kind), of_head + ": kinds differ");
    Check(std::fabs(got_reports[at].pairs - expected.pairs) <= 1e-9 * expected.pairs,
          of_head + ": pairs differ");
    Check(std::fabs(got_reports[at].guard_pairs - expected.guard_pairs) <= 1e-9 * expected.pairs,
          of_head + ": the guard's pairs differ");
    if (got[at].kind != static_cast<int32_t>(expected.kind)) continue;
    std::vector<index::Range> runs, spans;
    const auto append = [](std::vector<index::Range>& list, int64_t begin, int64_t end) {
      if (!list.empty() && list.back().end >= begin) {
        list.back().end = end;
      } else if (end > begin) {
        list.push_back({begin, end});
      }
    };
    append(runs, 0, got[at].first_keys);
    for (int32_t i = 0; i < got[at].column_count; ++i) {
      const int32_t key = got_columns[static_cast<size_t>(h * column_capacity + i)];
      append(runs, key, key + 1);
    }
    for (int32_t i = 0; i < got[at].band_count; ++i) {
      const cuda::Band band = got_bands[static_cast<size_t>(h * band_capacity + i)];
      spans.push_back({band.begin, band.end});
    }
    const auto same = [](const std::vector<index::Range>& a, const std::vector<index::Range>& b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](index::Range x, index::Range y) {
        return x.begin == y.begin && x.end == y.end;
      });
    };
    Check(same(runs, expected.columns), of_head + ": columns differ");
    Check(same(spans, expected.bands), of_head + ": bands differ");
  }
  std::vector<int32_t> sorted = order.Download();
  for (size_t i = 1; i < sorted.size(); ++i) {
    Check(got_reports[static_cast<size_t>(sorted[i - 1])].pairs >=
              got_reports[static_cast<size_t>(sorted[i])].pairs,
          name + ": the heads' order");
  }
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    Check(sorted[i] == static_cast<int32_t>(i), name + ": every head once");
  }
}

// Any floor, with the default budget; and budgets that are given, filled or not, from the least to
// nearly all keys.
void CompareChoices(Random& random, int64_t first_position, int64_t rows, int64_t probe_rows) {
  const double floors[] = {-1.0, 0.0, 0.3, 0.8, 0.97};
  CompareChoice(random, first_position, rows, probe_rows, floors[random.Integer(0, 4)], {});
  const int64_t tokens = first_position + rows;
  for (const int64_t divisor : {100, 16, 4, 2, 1}) {
    const int64_t keys = std::max<int64_t>(1, tokens / divisor - random.Integer(0, tokens / 200));
    for (const bool fill : {false, true}) {
      CompareChoice(random, first_position, rows, probe_rows, 0, {keys, fill});
    }
  }
  // The guard grows a budget that is filled, too.
  CompareChoice(random, first_position, rows, probe_rows, 0.5, {tokens / 50 + 1, true});
}

// The mean over a chunk's last rows, of heads that are not dense; the others' stays.
void CompareRecall(Random& random, int64_t heads, int64_t rows, int64_t probe_rows) {
  std::vector<float> lse = random.Floats(rows * heads, 3.0f);
  std::vector<float> dense = random.Floats(heads * index::kProbeRows, 0.3f);
  std::vector<cuda::HeadLines> kinds;
  std::vector<double> expected;
  for (int64_t head = 0; head < heads; ++head) {
    kinds.push_back({static_cast<int32_t>(head % 4), 0, 0, 0});
    // From little to more than all, which rounding can come to.
    const float kept = -3.0f + 4.0f * static_cast<float>(head) / static_cast<float>(heads);
    double sum = 0;
    for (int64_t i = 0; i < probe_rows; ++i) {
      const float of_all = lse[static_cast<size_t>((rows - probe_rows + i) * heads + head)] - kept;
      float& probed = dense[static_cast<size_t>(head * index::kProbeRows + i)];
      probed += of_all;
      sum += std::exp(
          static_cast<double>(lse[static_cast<size_t>((rows - probe_rows + i) * heads + head)]) -
          static_cast<double>(probed));
    }
    const bool is_dense = kinds.back().kind == static_cast<int32_t>(PatternKind::kDense);
    expected.push_back(is_dense ? 0.25 : std::min(1.0, sum / static_cast<double>(probe_rows)));
  }
  const std::vector<cuda::HeadReport> before(static_cast<size_t>(heads), {7, 3, 0.25});
  DeviceArray<float> device_lse(lse), device_dense(dense);
  DeviceArray<cuda::HeadLines> device_kinds(kinds);
  DeviceArray<cuda::HeadReport> reports(before);
  const std::string name = "recall of " + std::to_string(probe_rows) + " rows";
  const cuda::Launched launched =
      cuda::MeasureRecall({device_kinds.data(), heads, rows, probe_rows, device_lse.data(),
                           device_dense.data(), reports.data(), nullptr});
  Check(launched.ok(), name + ": " + launched.what);
  std::vector<double> recalls;
  for (const cuda::HeadReport& report : reports.Download()) {
    recalls.push_back(report.recall);
    Check(report.pairs == 7 && report.guard_pairs == 3, name + ": nothing else changes");
  }
  CheckClose(recalls, expected, 1e-12, 1e-12, name);
}

// Which blocks beat which is decided in fp32 here and in fp64 there: a block may stand for another
// that scores the same but for rounding.
void CompareBlocks(Random& random, int64_t size, int64_t first_position, int64_t rows,
                   int64_t wanted) {
  constexpr int64_t kHeads = 4, kKvHeads = 2;
  const int64_t tokens = first_position + rows;
  const int64_t row_blocks = index::DivideUp(rows, cuda::kSparseRows);
  Stored q(random, rows, kHeads, size, 2.0f);
  Stored k(random, tokens, kKvHeads, size, 2.0f);
  const cuda::HeadLines of_head = {static_cast<int32_t>(PatternKind::kBlockSparse), 0, 0, 0};
  DeviceArray<cuda::HeadLines> heads(std::vector<cuda::HeadLines>(kHeads, of_head));
  constexpr int32_t kUntouched = -7;
  DeviceArray<int32_t> blocks(
      std::vector<int32_t>(static_cast<size_t>(kHeads * row_blocks * wanted), kUntouched));
  DeviceArray<char> workspace(
      cuda::ChooseBlocksWorkspaceBytes(kHeads, kKvHeads, size, rows, tokens));
  cuda::ChooseBlocksParams p{};
  p.q = q.device.data();
  p.q_row_stride = q.row_stride;
  p.q_head_stride = size;
  p.rows = rows;
  p.heads = kHeads;
  p.kv_heads = kKvHeads;
  p.head_size = size;
  p.first_position = first_position;
  p.kv = {k.device.data(), nullptr, k.row_stride, size, tokens, 0};
  p.lines.heads = heads.data();
  p.lines.blocks = blocks.data();
  p.lines.block_capacity = wanted;
  // Not all heads choose, nor want the same.
  const std::vector<int64_t> of_heads = {wanted, 0, std::max<int64_t>(1, wanted / 2), wanted};
  p.blocks = of_heads.data();
  p.workspace = workspace.data();
  const std::string name = "blocks for heads of " + std::to_string(size) + ", " +
                           std::to_string(rows) + " rows at " + std::to_string(first_position) +
                           ", " + std::to_string(wanted);
  const cuda::Launched launched = cuda::ChooseBlocks(p);
  Check(launched.ok(), name + ": " + launched.what);
  Cuda(cudaDeviceSynchronize(), name.c_str());
  const std::vector<int32_t> got = blocks.Download();
  const int64_t key_blocks = index::DivideUp(tokens, index::kKeyBlock);
  for (int64_t head = 0; head < kHeads; ++head) {
    if (of_heads[static_cast<size_t>(head)] == 0) {
      Check(got[static_cast<size_t>(head * row_blocks * wanted)] == kUntouched,
            name + ": a head that does not choose has no list");
      continue;
    }
    std::vector<std::vector<double>> means(static_cast<size_t>(key_blocks),
                                           std::vector<double>(size));
    for (int64_t key = 0; key < tokens; ++key) {
      const int64_t block = key / index::kKeyBlock;
      const int64_t keys = std::min(index::kKeyBlock, tokens - block * index::kKeyBlock);
      for (int64_t c = 0; c < size; ++c) {
        means[static_cast<size_t>(block)][static_cast<size_t>(c)] +=
            static_cast<double>(
                k.values[static_cast<size_t>((key * kKvHeads + head / 2) * size + c)]) /
            static_cast<double>(keys);
      }
    }
    for (int64_t row_block = 0; row_block < row_blocks; ++row_block) {
      const int64_t begin = row_block * cuda::kSparseRows;
      const int64_t end = std::min(begin + cuda::kSparseRows, rows);
      const int64_t own = (first_position + begin) / index::kKeyBlock;
      const int64_t all = index::DivideUp(first_position + end, index::kKeyBlock);
      std::vector<double> scores(static_cast<size_t>(own));
      for (int64_t block = 0; block < own; ++block) {
        for (int64_t row = begin; row < end; ++row) {
          for (int64_t c = 0; c < size; ++c) {
            scores[static_cast<size_t>(block)] +=
                static_cast<double>(
                    q.values[static_cast<size_t>((row * kHeads + head) * size + c)]) *
                means[static_cast<size_t>(block)][static_cast<size_t>(c)];
          }
        }
      }
      const int64_t free = std::clamp<int64_t>(
          of_heads[static_cast<size_t>(head)] - (all - own) - 1, 0, std::max<int64_t>(0, own - 1));
      std::vector<bool> in(static_cast<size_t>(own));
      const int32_t* list = got.data() + (head * row_blocks + row_block) * wanted;
      int64_t count = 0;
      for (; count < wanted && list[count] != -1; ++count) {
        const bool ascends = list[count] < own && (count == 0 || list[count] > list[count - 1]);
        Check(ascends, name + ": the list ascends below the row block's own");
        if (!ascends) return;
        in[static_cast<size_t>(list[count])] = true;
      }
      Check(count == (own > 0 ? free + 1 : 0), name + ": as many as asked for");
      if (own > 0) Check(in[0], name + ": the first block is in");
      double least = std::numeric_limits<double>::infinity(), most = -least;
      for (int64_t block = 1; block < own; ++block) {
        const double score = scores[static_cast<size_t>(block)];
        if (in[static_cast<size_t>(block)]) {
          least = std::min(least, score);
        } else {
          most = std::max(most, score);
        }
      }
      Check(least >= most - 1e-3, name + ": the best are in");
    }
  }
}

int Run(bool quick) {
  if (NoDevice()) return 77;
  Random random;
  CompareChoices(random, 0, 64, 64);
  CompareChoices(random, 3000, 1000, 64);
  CompareRecall(random, 9, 100, 64);
  CompareRecall(random, 40, 64, 17);
  CompareBlocks(random, 128, 0, 200, 3);
  CompareBlocks(random, 64, 1500, 130, 9);
  if (!quick) {
    CompareBlocks(random, 96, 9000, 500, 40);
    CompareBlocks(random, 128, 40, 1000, 100);
    CompareBlocks(random, 128, 100, 9000, 20);
    for (int i = 0; i < 12; ++i) {
      const int64_t rows = random.Integer(1, 9000);
      CompareChoices(random, random.Integer(0, 60000), rows, std::min<int64_t>(rows, 64));
    }
    CompareChoices(random, 300000, 16384, 64);
  }
  return Outcome();
}

}  // namespace
}  // namespace longsight::test

int main(int count, char** arguments) {
  return longsight::test::Run(longsight::test::IsQuick(count, arguments));
}

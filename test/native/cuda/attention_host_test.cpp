// What the CUDA attention kernels share with the host: tiles, masks, tasks, covers, the probe's
// runs, areas, pieces of spans and copies, and the order of logits, against the plain definitions.
// No GPU, no CUDA.
#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../kernels/check.h"
#include "cuda/argmax.h"
#include "cuda/attention_cover.h"
#include "cuda/attention_tiles.h"
#include "cuda/cut_copies.h"
#include "cuda/lines_shape.h"
#include "cuda/mass_pieces.h"
#include "cuda/probe_plan.h"
#include "index/area.h"

namespace longsight::test {
namespace {

constexpr int64_t kMillion = 1'048'577;

// Pieces of spans: every key of a span once and in order, in the run that holds it.
void Pieces(Random& random) {
  const auto ascending = [&](int64_t count, int64_t most) {
    std::vector<int64_t> numbers;
    for (int64_t i = 0; i < count; ++i) numbers.push_back(random.Integer(0, most));
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  };
  const int64_t tokens = random.Integer(1, 9000);
  const std::vector<int64_t> ends = ascending(random.Integer(1, 30), tokens);
  std::vector<int64_t> run_ends = ascending(random.Integer(0, 5), tokens);
  run_ends.push_back(tokens);
  const cuda::MassPieces cut(ends, run_ends);
  Check(cut.first_of_span.size() == ends.size() + 1, "pieces: an entry for each span");
  int64_t position = 0;
  for (size_t span = 0; span < ends.size(); ++span) {
    for (int32_t i = cut.first_of_span[span]; i < cut.first_of_span[span + 1]; ++i) {
      const cuda::MassPiece& piece = cut.pieces[static_cast<size_t>(i)];
      const auto run = static_cast<size_t>(piece.run);
      const int64_t run_begin = run == 0 ? 0 : run_ends[run - 1];
      Check(piece.count > 0 && piece.count <= cuda::kMassPieceKeys, "pieces: not too large");
      Check(run_begin + piece.first == position, "pieces: in order, without a gap");
      position += piece.count;
      Check(position <= run_ends[run], "pieces: within their run");
    }
    Check(position == ends[span], "pieces: up to the span's end");
  }
}

void Swizzle() {
  for (const int rows : {64, 128, 176}) {
    std::set<int> offsets;
    for (int row = 0; row < rows; ++row) {
      for (int chunk = 0; chunk < 16; ++chunk) {
        const int offset = cuda::SwizzledOffset(row, chunk, rows);
        offsets.insert(offset);
        // The copy engine's 128-byte swizzle: address bits 4 to 6 by bits 7 to 9.
        const int plain = (chunk / 8 * rows + row) * 128 + chunk % 8 * 16;
        Check(offset == (plain ^ (plain >> 7 & 7) << 4), "the swizzle is that of the hardware");
      }
    }
    Check(offsets.size() == static_cast<size_t>(rows) * 16, "chunks do not overlap");
  }
}

void Plans() {
  for (const int head_size : {64, 96, 128}) {
    for (const int keys : {128, 160, 176}) {
      for (const bool sparse : {false, true}) {
        if (sparse && keys != 128) continue;
        const cuda::SharedPlan plan = cuda::PlanShared(head_size, keys, 2, sparse);
        Check(plan.k % 1024 == 0 && plan.v % 1024 == 0 && plan.tile_bytes % 1024 == 0,
              "tiles begin on 1,024 bytes");
        Check(plan.v == plan.k + 2 * plan.tile_bytes, "keys end where values begin");
        Check(plan.bytes <= 227 * 1024, "shared memory of a Hopper CTA");
      }
    }
  }
}

// Every key of a row exactly once over the tiles.
void DenseTiles(Random& random, int64_t tokens, int64_t first_row, int64_t rows, int64_t window,
                int keys) {
  const cuda::KeySpan span = cuda::SeenKeys(first_row, rows, window, tokens);
  const int tiles = cuda::TileCount(span, keys);
  for (int sample = 0; sample < 4; ++sample) {
    const int64_t row = first_row + random.Integer(0, rows - 1);
    const int64_t low = window > 0 ? std::max<int64_t>(0, row - window + 1) : 0;
    const int64_t high = std::min(row, tokens - 1);
    int64_t seen = 0, next_high = high;
    for (int tile = 0; tile < tiles; ++tile) {
      const int32_t begin = cuda::TileBegin(span, keys, tile);
      const cuda::TileMask mask = cuda::MaskOfRow(begin, row, window, span);
      const int64_t from = std::max<int64_t>(mask.low, 0);
      const int64_t to = std::min<int64_t>(mask.high, keys - 1);
      if (from > to) continue;
      Check(begin + to == next_high, "tiles go down without a gap");
      next_high = begin + from - 1;
      seen += to - from + 1;
    }
    Check(seen == std::max<int64_t>(0, high - low + 1), "every key of a row, once");
  }
}

void Tasks() {
  for (const int32_t blocks : {1, 7, 300}) {
    std::set<std::pair<int32_t, int32_t>> dense, sparse;
    for (int32_t i = 0; i < blocks * 12; ++i) {
      const cuda::Task a = cuda::DenseTask(i, blocks, 4), b = cuda::SparseTask(i, blocks);
      dense.insert({a.head, a.row_block});
      sparse.insert({b.head, b.row_block});
      Check(a.head / 4 == i / (blocks * 4), "dense tasks go KV head by KV head");
    }
    Check(dense.size() == static_cast<size_t>(blocks) * 12, "every dense task once");
    Check(sparse.size() == static_cast<size_t>(blocks) * 12, "every sparse task once");
    Check(cuda::DenseTask(0, blocks, 4).row_block == blocks - 1, "the longest come first");
  }
}

struct DrawnLines {
  int32_t first_keys;
  std::vector<int32_t> columns;
  std::vector<cuda::Band> bands;
  std::vector<index::Range> runs, spans;

  DrawnLines(Random& random, int64_t tokens) {
    const int64_t firsts[] = {0, 30, 1000};
    first_keys = static_cast<int32_t>(firsts[random.Integer(0, 2)]);
    if (first_keys > 0) runs.push_back({0, first_keys});
    int64_t key = first_keys;
    const int64_t gap = random.Integer(1, std::max<int64_t>(2, tokens / 100));
    while ((key += random.Integer(0, 3) == 0 ? 1 : random.Integer(1, gap)) < tokens) {
      columns.push_back(static_cast<int32_t>(key));
      if (!runs.empty() && runs.back().end == key) {
        ++runs.back().end;
      } else {
        runs.push_back({key, key + 1});
      }
    }
    int64_t offset = 0;
    const int64_t space = random.Integer(20, std::max<int64_t>(40, tokens / 50));
    for (int64_t i = random.Integer(1, 150); i > 0; --i) {
      const int64_t width = random.Integer(1, 120);
      bands.push_back({static_cast<int32_t>(offset), static_cast<int32_t>(offset + width)});
      spans.push_back({offset, offset + width});
      offset += width + random.Integer(1, space);
    }
  }

  cuda::HeadCover cover() const {
    return {first_keys, static_cast<int32_t>(columns.size()), static_cast<int32_t>(bands.size()),
            columns.data(), bands.data()};
  }
  index::Lines lines() const {
    return {spans.data(), static_cast<int64_t>(spans.size()), runs.data(),
            static_cast<int64_t>(runs.size())};
  }
};

// The pieces of a row block, the row block's own keys among them, are the keys of index/cover.h.
void Covers(Random& random, int64_t tokens) {
  const DrawnLines drawn(random, tokens);
  const cuda::HeadCover head = drawn.cover();
  const int64_t begin = random.Integer(0, tokens - 1);
  const cuda::RowSpan rows = {static_cast<int32_t>(begin),
                              static_cast<int32_t>(std::min(begin + cuda::kSparseRows, tokens))};
  std::vector<int32_t> keys;
  const auto add = [&](cuda::Piece piece) {
    for (int32_t key = piece.begin; key < piece.end; ++key) keys.push_back(key);
  };
  add({rows.begin, rows.end});
  add(cuda::NearPiece(head, rows));
  add(cuda::FirstPiece(head, rows));
  for (int32_t i = 1; i < head.band_count; ++i) {
    const cuda::Piece piece = cuda::BandPiece(head, rows, i);
    add(piece);
    if (cuda::BeforeStart(head, rows, i)) Check(piece.end <= piece.begin, "past the start: empty");
  }
  for (size_t i = 0; i < drawn.columns.size(); i += 4) {
    int32_t four[4];
    bool loose[4];
    for (size_t j = 0; j < 4; ++j) {
      four[j] = i + j < drawn.columns.size() ? drawn.columns[i + j] : rows.begin;
    }
    cuda::AreLoose(head, rows, four, loose);
    for (size_t j = 0; j < 4; ++j) {
      if (loose[j]) keys.push_back(four[j]);
    }
  }
  std::sort(keys.begin(), keys.end());
  Check(std::adjacent_find(keys.begin(), keys.end()) == keys.end(), "no key twice");
  std::vector<int32_t> expected;
  index::CoverWalk walk = index::StartCover(drawn.lines(), rows.begin, rows.end);
  for (index::Range run; index::NextCovered(walk, &run);) {
    for (int64_t key = run.begin; key < run.end; ++key)
      expected.push_back(static_cast<int32_t>(key));
  }
  Check(keys == expected, "the pieces are the cover");

  // What threads share out sums up to the whole.
  const int32_t threads = 32;
  std::vector<float> sums = random.Floats(tokens, 1.0f);
  for (float& sum : sums) sum = std::fabs(sum);
  int64_t covered = 0;
  double kept = 0;
  for (int32_t thread = 0; thread < threads; ++thread) {
    covered += cuda::CoveredShare(head, rows, thread, threads);
    kept += cuda::KeptShare(head, rows, sums.data(), thread, threads);
  }
  Check(covered == index::CoveredKeys(drawn.lines(), rows.begin, rows.end), "the area");
  const double recall = index::Recall(drawn.lines(), rows.begin, rows.end, sums.data(), 64);
  Check(std::fabs(kept / 64 - recall) <= 1e-9 * (1 + recall), "the recall");
}

// Every key in one run's groups, and in each group two bands to a block of 16 by 16.
void ProbePlans(int64_t heads, int64_t kv_heads, int64_t rows, int64_t tokens) {
  const cuda::ProbePlan plan = cuda::PlanProbe(heads, kv_heads, rows, tokens);
  Check(plan.head_parts * plan.heads_of_part >= heads / kv_heads, "every head has its part");
  Check(plan.heads_of_part <= cuda::kProbeHeads, "no more heads than warpgroups");
  Check(static_cast<int64_t>(plan.slices) * kv_heads * plan.head_parts <=
            std::max<int64_t>(cuda::kProbeBlocks, kv_heads * plan.head_parts),
        "no more CTAs than planned for");
  Check(plan.slices <= cuda::kProbeBlocks, "the workspace holds every run");
  Check(cuda::RunBegin(plan, 0, 0) <= 0 && cuda::RunBegin(plan, plan.slices, 0) >= tokens,
        "runs reach over all keys");
  Check(plan.groups >= cuda::kLeastGroups, "runs are long enough for their bands");
  const int64_t first_row = tokens - rows;
  for (int32_t run : {0, 1, plan.slices * cuda::kProbeWarps - 1}) {
    const int32_t key = cuda::RunBegin(plan, run / cuda::kProbeWarps, run % cuda::kProbeWarps);
    const int64_t band = plan.first_band - (key - plan.first_key) / cuda::kProbeGroup;
    for (int64_t in_group = 0; in_group < 16; ++in_group) {
      for (int64_t row = 0; row < 64; ++row) {
        const int64_t offset = first_row + row - key - in_group;
        if (offset < 0) continue;
        const int64_t expected = band + row / 16 - (row % 16 < in_group ? 1 : 0);
        Check(offset / index::kBandOffsets == expected, "the diagonal parts the two bands");
      }
    }
  }
}

void Crossings(Random& random) {
  for (int i = 0; i < 200; ++i) {
    const int64_t rows = random.Integer(1, 64), begin = random.Integer(300, kMillion);
    const int64_t key = random.Integer(30, begin - 150);
    std::vector<float> bands(static_cast<size_t>(kMillion / 16 + 10), 100.0f), expected = bands;
    std::vector<float> columns(static_cast<size_t>(key + 1), 0.0f);
    columns[static_cast<size_t>(key)] = static_cast<float>(rows);
    index::ExplainBands(columns.data(), key + 1, index::DensityBin(0.5f), begin, rows,
                        expected.data());
    int64_t offsets = 0;
    for (int32_t part = 0; part < cuda::kCrossings; ++part) {
      const cuda::Crossing crossing = cuda::CrossedBand(key, begin, rows, part);
      if (crossing.offsets > 0) {
        bands[static_cast<size_t>(crossing.band)] -= static_cast<float>(crossing.offsets);
      }
      offsets += crossing.offsets;
    }
    Check(offsets == rows, "a column crosses as many offsets as there are rows");
    Check(bands == expected, "crossed bands are those that the CPU's choice explains");
  }
}

// Keys are ordered as logits are, and where those are equal, against their ids.
void ArgmaxKeys() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> ascending = {-kInfinity, -3e38f, -2.0f, -1.0f, -tiny,    0.0f,
                                        tiny,       1.0f,   2.0f,  3e38f, kInfinity};
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (const uint32_t id : {0u, 1u, 200000u, 0xFFFFFFFEu}) {
      const uint64_t key = cuda::ArgmaxKey(ascending[i], id);
      Check(key > 0 && key < cuda::kNanKey && cuda::ArgmaxId(key) == id, "a key has its id");
      Check(cuda::ArgmaxKey(ascending[i], id + 1) < key, "the lowest id wins");
      if (i > 0) Check(cuda::ArgmaxKey(ascending[i - 1], 0) < key, "the larger logit wins");
    }
  }
  Check(cuda::ArgmaxKey(-0.0f, 7) == cuda::ArgmaxKey(0.0f, 7), "both zeros are equal");
  Check(cuda::ArgmaxKey(std::numeric_limits<float>::quiet_NaN(), 7) == cuda::kNanKey, "NaN");
  Check(cuda::ArgmaxKey(-std::numeric_limits<float>::quiet_NaN(), 7) == cuda::kNanKey, "-NaN");
}

// Every byte in one part, in order, and none longer than a buffer.
void CutsCopies() {
  std::byte from[64], to[64];
  const std::vector<cuda::HostCopy> copies = {
      {from, to, 10}, {from + 10, to + 20, 0}, {from + 10, to + 10, 16}, {from + 30, to + 40, 1}};
  for (const int64_t most : {1, 4, 8, 100}) {
    std::vector<std::pair<int64_t, int64_t>> expected, got;
    for (const cuda::HostCopy& copy : copies) {
      for (int64_t i = 0; i < copy.bytes; ++i) {
        expected.push_back({static_cast<const std::byte*>(copy.from) + i - from,
                            static_cast<std::byte*>(copy.to) + i - to});
      }
    }
    for (const cuda::HostCopy& part : cuda::CutCopies(copies, most)) {
      Check(part.bytes > 0 && part.bytes <= most, "a part fits its buffer");
      for (int64_t i = 0; i < part.bytes; ++i) {
        got.push_back({static_cast<const std::byte*>(part.from) + i - from,
                       static_cast<std::byte*>(part.to) + i - to});
      }
    }
    Check(got == expected, "parts of " + std::to_string(most) + " bytes are the whole");
  }
}

}  // namespace
}  // namespace longsight::test

int main() {
  using namespace longsight::test;
  Random random;
  ArgmaxKeys();
  CutsCopies();
  Swizzle();
  Plans();
  Tasks();
  for (int i = 0; i < 400; ++i) {
    const int64_t tokens = i % 8 == 0 ? kMillion : random.Integer(1, 3000);
    const int keys[] = {64, 128, 160, 176};
    const int64_t first_row = random.Integer(-200, tokens + 100);
    const int64_t window = random.Integer(0, 2) == 0 ? random.Integer(1, 600) : 0;
    DenseTiles(random, tokens, first_row, random.Integer(1, 128), window, keys[i % 4]);
    Pieces(random);
    Covers(random, i % 40 == 0 ? kMillion : random.Integer(1, 5000));
  }
  for (const int64_t tokens : {int64_t{1}, int64_t{64}, int64_t{1000}, int64_t{12345}, kMillion}) {
    for (const int64_t rows : {int64_t{1}, int64_t{17}, int64_t{64}}) {
      if (rows > tokens) continue;
      ProbePlans(32, 8, rows, tokens);
      ProbePlans(28, 4, rows, tokens);
      ProbePlans(200, 200, rows, tokens);
    }
  }
  Crossings(random);
  return Result("attention_host_test");
}

// Sparse prefill attention on the GPU against fp64 loops under the same mask.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "attention_shapes.h"
#include "cuda/attention.h"
#include "reference/reference.h"

namespace longsight::test {
namespace {

using index::PatternKind;

struct Shape {
  int64_t rows, heads, kv_heads, head_size;
  int64_t first_position;
  // The keys are cut here in two runs, and the parts are merged; 0: not.
  int64_t cut = 0;

  int64_t tokens() const { return first_position + rows; }
  int64_t row_blocks() const { return (rows + cuda::kSparseRows - 1) / cuda::kSparseRows; }
  std::string Name() const {
    char text[160];
    std::snprintf(text, sizeof text, "%lld rows at %lld, %lld on %lld heads of %lld, cut %lld",
                  static_cast<long long>(rows), static_cast<long long>(first_position),
                  static_cast<long long>(heads), static_cast<long long>(kv_heads),
                  static_cast<long long>(head_size), static_cast<long long>(cut));
    return text;
  }
};

// Random lines of every kind, for the device and for the oracle.
struct RandomLines {
  static constexpr int64_t kColumns = 700, kBands = 200, kBlocks = 6;
  std::vector<cuda::HeadLines> heads;
  std::vector<int32_t> columns, blocks, order;
  std::vector<cuda::Band> bands;
  // [heads][row blocks]
  std::vector<std::vector<reference::Kept>> kept;

  RandomLines(Random& random, const Shape& s)
      : columns(static_cast<size_t>(s.heads * kColumns)),
        blocks(static_cast<size_t>(s.heads * s.row_blocks() * kBlocks), -1),
        bands(static_cast<size_t>(s.heads * kBands)) {
    for (int64_t head = 0; head < s.heads; ++head) {
      order.push_back(static_cast<int32_t>(s.heads - 1 - head));
      kept.emplace_back(static_cast<size_t>(s.row_blocks()), reference::Kept{});
      const PatternKind kinds[] = {PatternKind::kVerticalSlash, PatternKind::kBlockSparse,
                                   PatternKind::kAShape, PatternKind::kVerticalSlash,
                                   PatternKind::kDense};
      const PatternKind kind = kinds[(head + random.Integer(0, 4)) % 5];
      heads.push_back({static_cast<int32_t>(kind), 0, 0, 0});
      if (kind == PatternKind::kDense) {
        for (reference::Kept& block : kept.back()) block.all = true;
      } else if (kind == PatternKind::kBlockSparse) {
        DrawBlocks(random, s, head);
      } else {
        DrawLines(random, s, head);
      }
    }
  }

 private:
  void DrawLines(Random& random, const Shape& s, int64_t head) {
    cuda::HeadLines& lines = heads.back();
    reference::Kept of_all{};
    const int64_t first_keys[] = {0, 30, 100, 1000};
    lines.first_keys = static_cast<int32_t>(first_keys[random.Integer(0, 3)]);
    for (int64_t key = 0; key < std::min<int64_t>(lines.first_keys, s.tokens()); ++key) {
      of_all.columns.push_back(key);
    }
    // Scattered or in runs.
    const int64_t sparsity = random.Integer(1, 40);
    for (int64_t key = lines.first_keys; key < s.tokens() && lines.column_count < kColumns; ++key) {
      const bool in_run = random.Integer(0, 99) == 0;
      const int64_t run = in_run ? random.Integer(1, 90) : 1;
      if (!in_run && random.Integer(0, sparsity) != 0) continue;
      for (int64_t i = 0; i < run && key < s.tokens() && lines.column_count < kColumns;
           ++i, ++key) {
        columns[static_cast<size_t>(head * kColumns + lines.column_count++)] =
            static_cast<int32_t>(key);
        of_all.columns.push_back(key);
      }
    }
    const int64_t gap = random.Integer(10, 300);
    const int64_t count = random.Integer(0, 3) == 0 ? 1 : random.Integer(1, kBands);
    int64_t offset = 0;
    while (lines.band_count < count) {
      const int64_t width = lines.band_count == 0 ? random.Integer(1, 150) : random.Integer(1, 40);
      bands[static_cast<size_t>(head * kBands + lines.band_count++)] = {
          static_cast<int32_t>(offset), static_cast<int32_t>(offset + width)};
      for (int64_t i = 0; i < width; ++i) of_all.offsets.push_back(offset + i);
      offset += width + random.Integer(1, gap);
    }
    for (reference::Kept& block : kept.back()) block = of_all;
  }

  void DrawBlocks(Random& random, const Shape& s, int64_t head) {
    for (int64_t row_block = 0; row_block < s.row_blocks(); ++row_block) {
      reference::Kept& of_block = kept.back()[static_cast<size_t>(row_block)];
      const int64_t begin = s.first_position + row_block * cuda::kSparseRows;
      const int64_t own = begin / index::kKeyBlock;
      std::set<int64_t> chosen;
      for (int64_t i = random.Integer(0, kBlocks); i > 0 && own > 0; --i) {
        chosen.insert(random.Integer(0, own - 1));
      }
      int64_t n = 0;
      for (const int64_t block : chosen) {
        blocks[static_cast<size_t>((head * s.row_blocks() + row_block) * kBlocks + n++)] =
            static_cast<int32_t>(block);
        for (int64_t i = 0; i < index::kKeyBlock; ++i) {
          of_block.columns.push_back(block * index::kKeyBlock + i);
        }
      }
      for (int64_t key = own * index::kKeyBlock; key < begin; ++key)
        of_block.columns.push_back(key);
      // Each row's own key: together, those of the row block.
      of_block.offsets = {0};
    }
  }
};

reference::Attended Expected(const Shape& s, const RandomLines& lines, float scale, const Stored& q,
                             const Stored& k, const Stored& v) {
  reference::Attended all;
  for (int64_t row_block = 0; row_block < s.row_blocks(); ++row_block) {
    const int64_t begin = row_block * cuda::kSparseRows;
    const int64_t rows = std::min(cuda::kSparseRows, s.rows - begin);
    std::vector<reference::Kept> kept;
    for (int64_t head = 0; head < s.heads; ++head) {
      kept.push_back(lines.kept[static_cast<size_t>(head)][static_cast<size_t>(row_block)]);
    }
    double margin = 0;
    const reference::Attended part = reference::AttendKept(
        {rows, s.heads, s.kv_heads, s.head_size, s.tokens(), s.first_position + begin, 0, 0,
         static_cast<double>(scale), q.values.data() + begin * s.heads * s.head_size,
         k.values.data(), v.values.data()},
        kept, cuda::kSparseRows, &margin);
    all.out.insert(all.out.end(), part.out.begin(), part.out.end());
    all.lse.insert(all.lse.end(), part.lse.begin(), part.lse.end());
  }
  return all;
}

void Compare(Random& random, const Shape& s) {
  Stored q(random, s.rows, s.heads, s.head_size, 2.0f);
  Stored k(random, s.tokens(), s.kv_heads, s.head_size, 2.0f);
  Stored v(random, s.tokens(), s.kv_heads, s.head_size, 1.0f);
  const RandomLines lines(random, s);
  DeviceArray<cuda::HeadLines> heads(lines.heads);
  DeviceArray<int32_t> columns(lines.columns), blocks(lines.blocks), order(lines.order);
  DeviceArray<cuda::Band> bands(lines.bands);
  const int64_t out_stride = s.heads * s.head_size + 16;
  DeviceArray<uint16_t> out(static_cast<size_t>(s.rows * out_stride));
  DeviceArray<float> lse(static_cast<size_t>(s.rows * s.heads));
  DeviceArray<int32_t> next_task(1);
  cuda::SparsePrefillParams p{};
  p.q = q.device.data();
  p.q_row_stride = q.row_stride;
  p.q_head_stride = s.head_size;
  p.rows = s.rows;
  p.heads = s.heads;
  p.kv_heads = s.kv_heads;
  p.head_size = s.head_size;
  p.first_position = s.first_position;
  p.scale = 1.0f / std::sqrt(static_cast<float>(s.head_size));
  p.lines = {heads.data(),        columns.data(), RandomLines::kColumns, bands.data(),
             RandomLines::kBands, blocks.data(),  RandomLines::kBlocks,  order.data()};
  p.out = out.data();
  p.out_row_stride = out_stride;
  p.out_head_stride = s.head_size;
  p.lse = lse.data();
  p.next_task = next_task.data();
  const int64_t cuts[] = {0, s.cut > 0 ? s.cut : s.tokens(), s.tokens()};
  for (int part = 0; part < (s.cut > 0 ? 2 : 1); ++part) {
    p.kv = {k.device.data() + cuts[part] * k.row_stride,
            v.device.data() + cuts[part] * v.row_stride,
            k.row_stride,
            s.head_size,
            cuts[part + 1] - cuts[part],
            cuts[part]};
    p.merge = part > 0;
    const cuda::Launched launched = cuda::SparsePrefillAttention(p);
    Check(launched.ok(), s.Name() + ": " + launched.what);
    Cuda(cudaDeviceSynchronize(), s.Name().c_str());
  }
  const reference::Attended expected = Expected(s, lines, p.scale, q, k, v);
  CheckClose(Widened(out, s.rows, s.heads * s.head_size, out_stride), expected.out, kOutAbsolute,
             kOutRelative, s.Name() + ": out");
  CheckClose(lse.Download(), expected.lse, kLseAbsolute, kLseRelative, s.Name() + ": lse");
}

int Run(bool quick) {
  if (NoDevice()) return 77;
  Random random;
  std::vector<Shape> shapes = {
      {.rows = 1, .heads = 5, .kv_heads = 1, .head_size = 128, .first_position = 0},
      {.rows = 200, .heads = 6, .kv_heads = 2, .head_size = 64, .first_position = 333},
      {.rows = 130,
       .heads = 5,
       .kv_heads = 1,
       .head_size = 128,
       .first_position = 1100,
       .cut = 1150},
  };
  if (!quick) {
    const int64_t sizes[] = {64, 96, 128};
    for (int i = 0; i < 24; ++i) {
      Shape s{.rows = random.Integer(1, 400), .head_size = sizes[i % 3]};
      s.kv_heads = random.Integer(1, 2);
      s.heads = s.kv_heads * random.Integer(3, 5);
      s.first_position = random.Integer(0, 3) == 0 ? 0 : random.Integer(0, 1500);
      if (i % 4 == 1) s.cut = s.tokens() / 2;
      shapes.push_back(s);
    }
    // More tasks than multiprocessors.
    shapes.push_back(
        {.rows = 1300, .heads = 16, .kv_heads = 4, .head_size = 128, .first_position = 100});
  }
  for (const Shape& s : shapes) Compare(random, s);
  std::printf("%s: %zu shapes, %d failures\n", failures == 0 ? "passed" : "FAILED", shapes.size(),
              failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace longsight::test

int main(int count, char** arguments) {
  return longsight::test::Run(longsight::test::IsQuick(count, arguments));
}

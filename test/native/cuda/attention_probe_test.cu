// The probe on the GPU against fp64 loops.
#include <algorithm>
#include <cmath>

#include "attention_shapes.h"
#include "cuda/attention.h"
#include "reference/reference.h"

namespace longsight::test {
namespace {

struct Shape {
  int64_t rows, heads, kv_heads, head_size, tokens;
  std::string Name() const {
    char text[120];
    std::snprintf(text, sizeof text, "%lld rows, %lld on %lld heads of %lld, %lld tokens",
                  static_cast<long long>(rows), static_cast<long long>(heads),
                  static_cast<long long>(kv_heads), static_cast<long long>(head_size),
                  static_cast<long long>(tokens));
    return text;
  }
};

void CompareProbe(Random& random, const Shape& s) {
  Stored q(random, s.rows, s.heads, s.head_size, 2.0f);
  Stored k(random, s.tokens, s.kv_heads, s.head_size, 2.0f);
  const int64_t bands = index::DivideUp(s.tokens, index::kBandOffsets);
  DeviceArray<float> columns(static_cast<size_t>(s.heads * s.tokens));
  DeviceArray<float> band_sums(static_cast<size_t>(s.heads * bands));
  DeviceArray<float> lse(static_cast<size_t>(s.heads * index::kProbeRows));
  DeviceArray<char> workspace(cuda::ProbeWorkspaceBytes(s.heads));
  cuda::ProbeParams p{};
  p.q = q.device.data();
  p.q_row_stride = q.row_stride;
  p.q_head_stride = s.head_size;
  p.rows = s.rows;
  p.heads = s.heads;
  p.kv_heads = s.kv_heads;
  p.head_size = s.head_size;
  p.scale = 1.0f / std::sqrt(static_cast<float>(s.head_size));
  p.kv = {k.device.data(), nullptr, k.row_stride, s.head_size, s.tokens, 0};
  p.columns = columns.data();
  p.bands = band_sums.data();
  p.lse = lse.data();
  p.workspace = workspace.data();
  const cuda::Launched launched = cuda::Probe(p);
  Check(launched.ok(), s.Name() + ": " + launched.what);
  Cuda(cudaDeviceSynchronize(), s.Name().c_str());

  reference::Heads heads{s.rows,
                         s.heads,
                         s.kv_heads,
                         s.head_size,
                         s.tokens,
                         s.tokens - s.rows,
                         0,
                         0,
                         static_cast<double>(p.scale),
                         q.values.data(),
                         k.values.data(),
                         nullptr};
  heads.always_kept = index::kFirstColumns;
  const reference::Probed expected = reference::SumLines(heads);
  std::vector<double> of_columns, of_bands, of_lse;
  std::vector<float> lse_of_rows;
  const std::vector<float> all_lse = lse.Download();
  for (int64_t h = 0; h < s.heads; ++h) {
    const auto at = static_cast<size_t>(h);
    of_columns.insert(of_columns.end(), expected.columns[at].begin(), expected.columns[at].end());
    std::vector<double> sums(static_cast<size_t>(bands));
    for (int64_t offset = 0; offset < s.tokens; ++offset) {
      sums[static_cast<size_t>(offset / index::kBandOffsets)] +=
          expected.offsets[at][static_cast<size_t>(offset)];
    }
    of_bands.insert(of_bands.end(), sums.begin(), sums.end());
    of_lse.insert(of_lse.end(), expected.lse[at].begin(), expected.lse[at].end());
    for (int64_t r = 0; r < s.rows; ++r) {
      lse_of_rows.push_back(all_lse[static_cast<size_t>(h * index::kProbeRows + r)]);
    }
  }
  CheckClose(columns.Download(), of_columns, 1e-6, 2e-5, s.Name() + ": columns");
  CheckClose(band_sums.Download(), of_bands, 1e-6, 2e-5, s.Name() + ": bands");
  CheckClose(lse_of_rows, of_lse, 2e-5, 2e-6, s.Name() + ": lse");
}

int Run(bool quick) {
  if (NoDevice()) return 77;
  Random random;
  std::vector<Shape> shapes = {{64, 4, 1, 128, 1000}, {1, 2, 2, 64, 1}, {17, 3, 1, 96, 333}};
  if (!quick) {
    const std::vector<Shape> more = {{64, 8, 2, 128, 20000}, {64, 7, 1, 128, 5003},
                                     {33, 5, 1, 64, 1777},   {64, 8, 8, 64, 64},
                                     {64, 12, 1, 96, 901},   {50, 4, 4, 128, 12345}};
    shapes.insert(shapes.end(), more.begin(), more.end());
  }
  for (const Shape& s : shapes) CompareProbe(random, s);
  return Outcome();
}

}  // namespace
}  // namespace longsight::test

int main(int count, char** arguments) {
  return longsight::test::Run(longsight::test::IsQuick(count, arguments));
}

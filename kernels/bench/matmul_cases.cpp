#include "cases.h"
#include "timing.h"

namespace longsight::bench {
namespace {

struct Shape {
  int64_t rows, in, out;
};

std::string Name(const Shape& s) {
  return "[" + std::to_string(s.rows) + ", " + std::to_string(s.in) + "] x [" + std::to_string(s.out) + ", " +
         std::to_string(s.in) + "] bf16";
}

double TimeProduct(const BenchContext& c, const Shape& s, bool round_activations, bool cold) {
  const std::vector<float> x = RandomFloats(s.rows * s.in, 1.0f);
  const std::vector<uint16_t> w = RandomBf16(s.out * s.in, 1.0f);
  std::vector<float> y(static_cast<size_t>(s.rows * s.out));
  cpu::MatmulParams p{};
  p.x = x.data();
  p.x_stride = s.in;
  p.w = w.data();
  p.w_type = cpu::DType::kBF16;
  p.y = y.data();
  p.y_stride = s.out;
  p.rows = s.rows;
  p.in = s.in;
  p.out = s.out;
  p.round_activations = round_activations;
  return MedianSeconds(c.quick ? 0.1 : 0.5, cold, [&] { c.ops.matmul(c.pool, p); });
}

}  // namespace

void BenchMatmul(const BenchContext& c, std::vector<Row>& rows) {
  std::vector<Shape> blocked = {{512, 512, 512}, {512, 512, 1536}, {4096, 512, 512}, {4096, 1536, 512}};
  if (!c.quick) {
    blocked.insert(blocked.end(), {{64, 512, 1536}, {2048, 512, 1536}, {512, 512, 16384}, {4096, 512, 1536}});
  }
  for (const Shape& s : blocked) {
    const double operations = 2.0 * static_cast<double>(s.rows * s.in * s.out);
    const double figure = operations / TimeProduct(c, s, false, false) * 1e-9;
    rows.push_back({"matmul", Name(s), figure, "GFLOP/s", figure / c.peaks.fma_gflops, "fp32 FMA peak"});
    if (c.peaks.bf16_gflops == 0) continue;
    const double rounded = operations / TimeProduct(c, s, true, false) * 1e-9;
    rows.push_back({"matmul, x in bf16", Name(s), rounded, "GFLOP/s", rounded / c.peaks.bf16_gflops, "bf16 dot peak"});
  }
  std::vector<Shape> streamed = {{1, 2048, 16384}};
  if (!c.quick) streamed.insert(streamed.end(), {{1, 512, 16384}, {4, 2048, 16384}, {8, 2048, 16384}});
  for (const Shape& s : streamed) {
    const double figure = 2.0 * static_cast<double>(s.in * s.out) / TimeProduct(c, s, false, true) * 1e-9;
    rows.push_back({"matmul, streamed", Name(s), figure, "GB/s", figure / c.peaks.read_gbps, "memory read"});
  }
}

}  // namespace longsight::bench

#include "cases.h"
#include "inputs.h"

namespace longsight::bench {
namespace {

struct Shape {
  int64_t rows, in, out;
};

std::string Name(const Shape& s) {
  return "[" + std::to_string(s.rows) + ", " + std::to_string(s.in) + "] x [" +
         std::to_string(s.out) + ", " + std::to_string(s.in) + "] bf16";
}

Row MeasureProduct(const BenchContext& c, const char* kernel, const Shape& s,
                   bool round_activations, Limit limit) {
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
  const double work = limit == Limit::kRead ? 2.0 * static_cast<double>(s.in * s.out)
                                            : 2.0 * static_cast<double>(s.rows * s.in * s.out);
  return Measure(c, kernel, Name(s), limit, work, [&] { c.ops.matmul(c.pool, p); });
}

}  // namespace

void BenchMatmul(const BenchContext& c, std::vector<Row>& rows) {
  std::vector<Shape> blocked = {
      {512, 512, 512}, {512, 512, 1536}, {4096, 512, 512}, {4096, 1536, 512}};
  if (!c.quick) {
    blocked.insert(blocked.end(),
                   {{64, 512, 1536}, {2048, 512, 1536}, {512, 512, 16384}, {4096, 512, 1536}});
  }
  for (const Shape& s : blocked) {
    rows.push_back(MeasureProduct(c, "matmul", s, false, Limit::kFma));
    if (c.meter.HasBf16Dot())
      rows.push_back(MeasureProduct(c, "matmul, x in bf16", s, true, Limit::kBf16Dot));
  }
  std::vector<Shape> streamed = {{1, 2048, 16384}};
  if (!c.quick)
    streamed.insert(streamed.end(), {{1, 512, 16384}, {4, 2048, 16384}, {8, 2048, 16384}});
  for (const Shape& s : streamed)
    rows.push_back(MeasureProduct(c, "matmul, streamed", s, false, Limit::kRead));
}

}  // namespace longsight::bench

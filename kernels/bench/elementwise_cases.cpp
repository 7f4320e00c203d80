#include <cmath>

#include "cases.h"
#include "inputs.h"

namespace longsight::bench {
namespace {

constexpr int64_t kRows = 8192;
constexpr int64_t kSize = 1536;

}  // namespace

void BenchElementwise(const BenchContext& c, std::vector<Row>& rows) {
  const std::vector<float> x = RandomFloats(kRows * kSize, 2.0f);
  const std::vector<float> up = RandomFloats(kRows * kSize, 2.0f);
  const std::vector<float> weight = RandomFloats(kSize, 1.0f);
  std::vector<float> y(x.size());
  const std::string shape = "[" + std::to_string(kRows) + ", " + std::to_string(kSize) + "]";
  const double tensor = 4.0 * static_cast<double>(x.size());

  const cpu::RmsNormParams norm{x.data(), kSize, weight.data(), y.data(),
                                kSize,    kRows, kSize,         1e-6f};
  const auto measure = [&](const char* kernel, const std::string& of, double bytes,
                           const std::function<void()>& run) {
    rows.push_back(Measure(c, kernel, of, Limit::kRead, bytes, run));
  };
  measure("rmsnorm", shape, 2 * tensor, [&] { c.ops.rms_norm(c.pool, norm); });

  const cpu::SwiGluParams swiglu{x.data(), up.data(), kSize, kSize, y.data(), kSize, kRows, kSize};
  measure("swiglu", shape, 3 * tensor, [&] { c.ops.swiglu(c.pool, swiglu); });

  std::vector<double> sums(2 * kSize / 64);
  measure("compare heads",
          "[" + std::to_string(kRows) + ", " + std::to_string(kSize / 64) + ", 64]", 2 * tensor,
          [&] {
            c.ops.compare_heads(
                c.pool, {x.data(), kSize, up.data(), kSize, kRows, kSize / 64, 64, sums.data()});
          });

  std::vector<double> frequency(32);
  for (size_t i = 0; i < frequency.size(); ++i)
    frequency[i] = std::pow(1e4, -static_cast<double>(i) / 32);
  cpu::RopeParams rope{};
  rope.x = y.data();
  rope.row_stride = kSize;
  rope.head_stride = 64;
  rope.rows = kRows;
  rope.heads = kSize / 64;
  rope.rotary = 64;
  rope.inverse_frequency = frequency.data();
  rope.first_position = 100000;
  measure("rope", "[" + std::to_string(kRows) + ", " + std::to_string(kSize / 64) + ", 64]",
          2 * tensor, [&] { c.ops.rope(c.pool, rope); });

  std::vector<uint16_t> halves(x.size());
  measure("convert to bf16", shape, 1.5 * tensor, [&] {
    c.ops.convert(c.pool, x.data(), halves.data(), cpu::DType::kBF16, kRows * kSize);
  });

  std::vector<uint32_t> ids(kRows);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<uint32_t>(i * 7919 % kRows);
  measure("embed from bf16", shape, 1.5 * tensor, [&] {
    c.ops.embed(c.pool, halves.data(), cpu::DType::kBF16, ids.data(), kRows, kSize, y.data());
  });
}

}  // namespace longsight::bench

// RmsNorm, Rope, SwiGlu, CompareHeads, Convert and Embed against their oracles.
#include <cmath>
#include <limits>

#include "check.h"
#include "cpu/thread_pool.h"
#include "stored.h"
#include "tables.h"

namespace longsight::test {
namespace {

void TestRmsNorm(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  for (const int64_t n : {1, 7, 64, 515, 4096}) {
    for (const int64_t rows : {1, 3, 40}) {
      const std::vector<float> x = random.Floats(rows * n, 3.0f);
      const std::vector<float> weight = random.Floats(n, 1.0f);
      std::vector<double> expected(x.size());
      reference::Normalize(x.data(), weight.data(), rows, n, static_cast<double>(1e-6f),
                           expected.data());
      const std::string what = std::string("rmsnorm ") + ops.name + " [" + std::to_string(rows) +
                               ", " + std::to_string(n) + "]";
      std::vector<float> y(x.size());
      ops.rms_norm(pool, {x.data(), n, weight.data(), y.data(), n, rows, n, 1e-6f});
      CheckClose(y, expected, 1e-7, 5e-7, what);
      std::vector<float> in_place = x;
      ops.rms_norm(pool, {in_place.data(), n, weight.data(), in_place.data(), n, rows, n, 1e-6f});
      Check(in_place == y, what + ": in place differs");
    }
  }
}

struct RopeShape {
  int64_t rows, heads, head_size, rotary, first_position;
  bool interleaved;
};

void TestRope(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  const std::vector<RopeShape> shapes = {
      {1, 1, 8, 8, 0, false},           {5, 3, 64, 64, 7, false},
      {200, 2, 64, 64, 1000000, false}, {70, 2, 128, 128, 16777217, false},
      {65, 4, 80, 20, 999999, false},   {9, 2, 256, 256, 16777217, true},
      {130, 3, 64, 32, 1000000, true},  {3, 1, 600, 600, 12345, false}};
  for (const RopeShape& s : shapes) {
    std::vector<double> frequency(static_cast<size_t>(s.rotary / 2));
    for (size_t i = 0; i < frequency.size(); ++i) {
      frequency[i] = std::pow(1e4, -2.0 * static_cast<double>(i) / static_cast<double>(s.rotary));
    }
    const std::vector<float> x = random.Floats(s.rows * s.heads * s.head_size, 1.0f);
    const float magnitude = s.interleaved ? 1.25f : 1.0f;
    std::vector<double> expected(x.size());
    reference::Rotate({s.rows, s.heads, s.head_size, s.rotary, s.first_position, frequency.data(),
                       static_cast<double>(magnitude), s.interleaved},
                      x.data(), expected.data());
    std::vector<float> y = x;
    cpu::RopeParams p{};
    p.x = y.data();
    p.row_stride = s.heads * s.head_size;
    p.head_stride = s.head_size;
    p.rows = s.rows;
    p.heads = s.heads;
    p.rotary = s.rotary;
    p.inverse_frequency = frequency.data();
    p.first_position = s.first_position;
    p.magnitude = magnitude;
    p.interleaved = s.interleaved;
    ops.rope(pool, p);
    CheckClose(y, expected, 4e-7, 0,
               std::string("rope ") + ops.name + " at " + std::to_string(s.first_position) +
                   " rotary " + std::to_string(s.rotary) + (s.interleaved ? " interleaved" : ""));
  }
}

void TestSwiGlu(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  for (const int64_t n : {1, 9, 64, 1001}) {
    const int64_t rows = 37;
    std::vector<float> gate = random.Floats(rows * n, 20.0f);
    const std::vector<float> up = random.Floats(rows * n, 2.0f);
    gate[0] = 0.0f;
    gate[1] = -200.0f;
    gate[2] = 200.0f;
    gate[3] = -88.5f;
    std::vector<double> expected(gate.size());
    reference::Gate(gate.data(), up.data(), rows * n, expected.data());
    std::vector<float> y(gate.size());
    ops.swiglu(pool, {gate.data(), up.data(), n, n, y.data(), n, rows, n});
    // The argument of exp is rounded to fp32: at 20 that alone is 1e-6 of the result.
    // Where exp(-gate) leaves fp32's range the result, below 1e-36, may be 0.
    CheckClose(y, expected, 1e-36, 2e-6,
               std::string("swiglu ") + ops.name + " n " + std::to_string(n));
    ops.swiglu(pool, {gate.data(), up.data(), n, n, gate.data(), n, rows, n});
    Check(gate == y, std::string("swiglu ") + ops.name + ": in place differs");
  }
}

void TestCompareHeads(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  for (const int64_t head_size : {1, 16, 41, 128}) {
    for (const int64_t rows : {1, 300}) {
      const int64_t heads = 5, n = heads * head_size;
      const std::vector<float> expected = random.Floats(rows * n, 3.0f);
      std::vector<float> actual = random.Floats(rows * n, 1e-3f);
      for (size_t i = 0; i < actual.size(); ++i) actual[i] += expected[i];
      std::vector<double> sums(static_cast<size_t>(2 * heads));
      ops.compare_heads(
          pool, {expected.data(), n, actual.data(), n, rows, heads, head_size, sums.data()});
      CheckClose(sums,
                 reference::CompareHeads(expected.data(), actual.data(), rows, heads, head_size), 0,
                 1e-12, std::string("compare heads ") + ops.name);
      cpu::ThreadPool others(2);
      std::vector<double> again(sums.size());
      ops.compare_heads(
          others, {expected.data(), n, actual.data(), n, rows, heads, head_size, again.data()});
      Check(again == sums, std::string("compare heads ") + ops.name + ": by other threads");
    }
  }
}

// Random bits: every exponent, subnormals, infinities and NaNs; and every tie between two bf16 or
// f16 values.
std::vector<float> HardFloats(Random& random) {
  std::vector<float> x = {0.0f,
                          -0.0f,
                          65504.0f,
                          65519.99f,
                          65520.0f,
                          -65520.0f,
                          5.9604645e-8f,
                          2.9802322e-8f,
                          3e-8f,
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::max(),
                          std::numeric_limits<float>::denorm_min(),
                          std::numeric_limits<float>::quiet_NaN()};
  for (int i = 0; i < 20011; ++i) {
    uint32_t bits = static_cast<uint32_t>(random.Integer(0, 0xffffffff));
    if (i % 3 == 1) bits = (bits & 0xffff0000u) | 0x8000u;
    // Into f16's range, on one of its ties.
    if (i % 3 == 2) bits = (bits & 0x8fffe000u) | 0x30001000u;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    x.push_back(value);
  }
  // A NaN whose payload lies in the dropped half only.
  const uint32_t low_nan = 0x7f800001u;
  std::memcpy(&x[13], &low_nan, sizeof low_nan);
  return x;
}

void TestConvert(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  const std::vector<float> x = HardFloats(random);
  const int64_t n = static_cast<int64_t>(x.size());
  for (const cpu::DType type : {cpu::DType::kBF16, cpu::DType::kF16}) {
    std::vector<uint16_t> y(x.size());
    ops.convert(pool, x.data(), y.data(), type, n);
    for (size_t i = 0; i < x.size(); ++i) {
      const bool half = type == cpu::DType::kF16;
      const uint16_t expected = half ? reference::NearestF16(x[i]) : reference::NearestBf16(x[i]);
      const double value = half ? reference::F16Value(y[i]) : reference::Bf16Value(y[i]);
      const bool held = std::isnan(x[i]) ? std::isnan(value) : y[i] == expected;
      char text[96];
      std::snprintf(text, sizeof text, ": %a became %04x, expected %04x", static_cast<double>(x[i]),
                    y[i], expected);
      Check(held, std::string("convert ") + ops.name + " to " + TypeName(type) + text);
    }
  }
  std::vector<float> same(x.size());
  ops.convert(pool, x.data(), same.data(), cpu::DType::kF32, n);
  Check(std::memcmp(same.data(), x.data(), x.size() * sizeof(float)) == 0,
        "convert to f32 changes bits");
}

void TestEmbed(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  const int64_t vocabulary = 50;
  for (const int64_t n : {1, 13, 512}) {
    for (const cpu::DType type : {cpu::DType::kF32, cpu::DType::kF16, cpu::DType::kBF16}) {
      const Stored table = Store(random.Floats(vocabulary * n, 1.0f), type);
      std::vector<uint32_t> ids(77);
      for (uint32_t& id : ids) id = static_cast<uint32_t>(random.Integer(0, vocabulary - 1));
      std::vector<float> y(ids.size() * static_cast<size_t>(n));
      ops.embed(pool, table.data(), type, ids.data(), static_cast<int64_t>(ids.size()), n,
                y.data());
      for (size_t i = 0; i < y.size(); ++i) {
        const size_t row = ids[i / static_cast<size_t>(n)];
        Check(y[i] == table.values[row * static_cast<size_t>(n) + i % static_cast<size_t>(n)],
              std::string("embed ") + ops.name + " " + TypeName(type));
      }
    }
  }
}

// Every f16 and every bf16 value survives being read, exactly.
void TestAllHalves(cpu::ThreadPool& pool, const cpu::OpTable& ops) {
  std::vector<uint16_t> table(65536);
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<uint16_t>(i);
  const uint32_t id = 0;
  std::vector<float> y(table.size());
  for (const cpu::DType type : {cpu::DType::kF16, cpu::DType::kBF16}) {
    ops.embed(pool, table.data(), type, &id, 1, 65536, y.data());
    std::vector<double> expected;
    for (const uint16_t bits : table) {
      expected.push_back(type == cpu::DType::kF16 ? reference::F16Value(bits)
                                                  : reference::Bf16Value(bits));
    }
    CheckClose(y, expected, 0, 0, std::string("reading every ") + TypeName(type) + " " + ops.name);
  }
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::Random random;
  for (const int threads : {1, 3}) {
    longsight::cpu::ThreadPool pool(threads);
    for (const longsight::cpu::OpTable* ops : longsight::test::TablesUnderTest()) {
      std::printf("%s, %d threads\n", ops->name, threads);
      longsight::test::TestRmsNorm(pool, *ops, random);
      longsight::test::TestRope(pool, *ops, random);
      longsight::test::TestSwiGlu(pool, *ops, random);
      longsight::test::TestCompareHeads(pool, *ops, random);
      longsight::test::TestConvert(pool, *ops, random);
      longsight::test::TestEmbed(pool, *ops, random);
      longsight::test::TestAllHalves(pool, *ops);
    }
  }
  return longsight::test::Result("elementwise_test");
}

// Matmul against its oracle: odd sizes around every block border, each weight type, strides, bias,
// adding.
#include <cmath>

#include "check.h"
#include "cpu/thread_pool.h"
#include "stored.h"
#include "tables.h"

namespace longsight::test {
namespace {

struct Shape {
  int64_t rows, in, out;
};

void TestShape(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random, const Shape& s,
               cpu::DType type, bool bias, bool add, bool round_activations) {
  // Strides beyond the row, so that a kernel that ignores them is seen.
  const int64_t x_stride = s.in + random.Integer(0, 5);
  const int64_t y_stride = s.out + random.Integer(0, 5);
  const std::vector<float> x = random.Floats(s.rows * x_stride, 1.0f);
  const Stored w = Store(random.Floats(s.out * s.in, 1.0f), type);
  const std::vector<float> b = random.Floats(s.out, 1.0f);
  std::vector<float> y = random.Floats(s.rows * y_stride, 1.0f);
  const std::vector<float> y_before = y;

  std::vector<float> x_rows;
  std::vector<double> expected;
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t i = 0; i < s.in; ++i) x_rows.push_back(x[static_cast<size_t>(r * x_stride + i)]);
    for (int64_t o = 0; o < s.out; ++o)
      expected.push_back(static_cast<double>(y[static_cast<size_t>(r * y_stride + o)]));
  }
  reference::Multiply(
      {s.rows, s.in, s.out, x_rows.data(), w.values.data(), bias ? b.data() : nullptr, add},
      expected.data());

  cpu::MatmulParams p{};
  p.x = x.data();
  p.x_stride = x_stride;
  p.w = w.data();
  p.w_type = type;
  p.bias = bias ? b.data() : nullptr;
  p.y = y.data();
  p.y_stride = y_stride;
  p.rows = s.rows;
  p.in = s.in;
  p.out = s.out;
  p.add = add;
  p.round_activations = round_activations;
  ops.matmul(pool, p);

  const std::string what = std::string("matmul ") + ops.name + " [" + std::to_string(s.rows) +
                           ", " + std::to_string(s.in) + "] x " + std::to_string(s.out) + " " +
                           TypeName(type) + (bias ? " bias" : "") + (add ? " add" : "") +
                           (round_activations ? " rounded" : "");
  std::vector<float> actual;
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t o = 0; o < y_stride; ++o) {
      const size_t at = static_cast<size_t>(r * y_stride + o);
      if (o < s.out) {
        actual.push_back(y[at]);
      } else {
        Check(y[at] == y_before[at], what + ": wrote past the row");
      }
    }
  }
  // fp32: each of `in` additions rounds a partial sum that grows as its square root. bf16
  // activations: each product of size below 1 is off by up to 2^-9, at random.
  const double in = static_cast<double>(s.in);
  const double bound =
      1e-6 + std::ldexp(in, -24) + (round_activations ? std::ldexp(4.0 * std::sqrt(in), -9) : 0.0);
  CheckClose(actual, expected, bound, 1e-6, what);
}

void TestTable(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  const std::vector<Shape> shapes = {{1, 1, 1},      {1, 7, 3},      {2, 64, 5},     {3, 33, 17},
                                     {4, 512, 70},   {5, 100, 9},    {7, 129, 31},   {8, 256, 64},
                                     {9, 255, 33},   {9, 8, 1},      {16, 511, 16},  {17, 513, 47},
                                     {25, 257, 65},  {48, 1030, 80}, {97, 300, 130}, {241, 64, 37},
                                     {500, 70, 530}, {970, 31, 40},  {6, 40, 1}};
  for (const Shape& s : shapes) {
    for (const cpu::DType type : {cpu::DType::kF32, cpu::DType::kF16, cpu::DType::kBF16}) {
      TestShape(pool, ops, random, s, type, false, false, false);
    }
    TestShape(pool, ops, random, s, cpu::DType::kBF16, true, false, true);
    TestShape(pool, ops, random, s, cpu::DType::kBF16, true, true, false);
    TestShape(pool, ops, random, s, cpu::DType::kF32, false, true, true);
  }
  for (int i = 0; i < 40; ++i) {
    const Shape s{random.Integer(1, 60), random.Integer(1, 600), random.Integer(1, 90)};
    TestShape(pool, ops, random, s, static_cast<cpu::DType>(random.Integer(0, 2)),
              random.Integer(0, 1) == 1, random.Integer(0, 1) == 1, random.Integer(0, 1) == 1);
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
      longsight::test::TestTable(pool, *ops, random);
    }
  }
  return longsight::test::Result("matmul_test");
}

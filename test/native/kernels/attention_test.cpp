// Attention against its oracle: GQA ratios, head sizes, windows, several segments merged, rows that
// see nothing.
#include <algorithm>
#include <cmath>

#include "check.h"
#include "cpu/thread_pool.h"
#include "stored.h"
#include "tables.h"

namespace longsight::test {
namespace {

struct Shape {
  int64_t rows, tokens, heads, kv_heads, head_size;
  int64_t query_position, key_position, window;
  int64_t segments;
  float spread;  // of q and k: larger is a sharper softmax
};

std::string Name(const cpu::OpTable& ops, const Shape& s, cpu::DType type, int threads) {
  return std::string("attention ") + ops.name + " " + TypeName(type) + " rows " +
         std::to_string(s.rows) + " at " + std::to_string(s.query_position) + ", tokens " +
         std::to_string(s.tokens) + " at " + std::to_string(s.key_position) + ", heads " +
         std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) + " of " +
         std::to_string(s.head_size) + ", window " + std::to_string(s.window) + ", segments " +
         std::to_string(s.segments) + ", threads " + std::to_string(threads);
}

// q, out: heads apart by a little more than their size, to see that strides are used.
void TestShape(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random, const Shape& s,
               cpu::DType type, bool round_activations) {
  const std::string what =
      Name(ops, s, type, pool.threads()) + (round_activations ? ", rounded" : "");
  const int64_t d = s.head_size;
  const int64_t head_stride = d + 3;
  const int64_t row_stride = s.heads * head_stride + 1;
  // When q may be rounded it is so already, for the oracle too: what remains is the weights'
  // rounding.
  const std::vector<float> q = Store(random.Floats(s.rows * row_stride, s.spread),
                                     round_activations ? cpu::DType::kBF16 : cpu::DType::kF32)
                                   .values;
  const Stored k = Store(random.Floats(s.tokens * s.kv_heads * d, s.spread), type);
  const Stored v = Store(random.Floats(s.tokens * s.kv_heads * d, 1.0f), type);
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));

  std::vector<float> q_rows;
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t h = 0; h < s.heads; ++h) {
      const auto begin = q.begin() + r * row_stride + h * head_stride;
      q_rows.insert(q_rows.end(), begin, begin + d);
    }
  }
  const reference::Attended expected = reference::Attend(
      {s.rows, s.heads, s.kv_heads, d, s.tokens, s.query_position, s.key_position, s.window,
       static_cast<double>(scale), q_rows.data(), k.values.data(), v.values.data()});

  // Filled with a wrong number: the first segment must overwrite, not add.
  std::vector<float> out(static_cast<size_t>(s.rows * row_stride), 7.0f);
  std::vector<float> lse(static_cast<size_t>(s.rows * s.heads), 7.0f);
  int64_t begin = 0;
  for (int64_t segment = 0; segment < s.segments; ++segment) {
    const int64_t end = segment + 1 == s.segments ? s.tokens : random.Integer(begin, s.tokens);
    const size_t offset =
        static_cast<size_t>(begin * s.kv_heads * d) * (type == cpu::DType::kF32 ? 4 : 2);
    cpu::AttentionParams p{};
    p.q = q.data();
    p.q_row_stride = p.out_row_stride = row_stride;
    p.q_head_stride = p.out_head_stride = head_stride;
    p.rows = s.rows;
    p.heads = s.heads;
    p.kv_heads = s.kv_heads;
    p.head_size = d;
    p.first_position = s.query_position;
    p.window = s.window;
    p.scale = scale;
    p.kv = {k.bytes.data() + offset, v.bytes.data() + offset, type, s.kv_heads * d, d, end - begin,
            s.key_position + begin};
    p.out = out.data();
    p.lse = lse.data();
    p.merge = segment > 0;
    p.round_activations = round_activations;
    ops.attention(pool, p);
    begin = end;
  }

  std::vector<float> actual;
  for (int64_t r = 0; r < s.rows; ++r) {
    for (int64_t h = 0; h < s.heads; ++h) {
      const auto at = out.begin() + r * row_stride + h * head_stride;
      actual.insert(actual.end(), at, at + d);
      Check(at[d] == 7.0f, what + ": wrote past the head");
    }
  }
  // Scores reach 60 at the widest spread; their fp32 rounding alone moves a weight by 1e-5 of
  // itself; rounded to bf16, by 2^-9 (values of V reach 1).
  const double tolerance = round_activations ? 1.0 / 512 : 1e-5;
  CheckClose(actual, expected.out, tolerance, tolerance, what + " out");
  CheckClose(lse, expected.lse, 4e-6, 1e-6, what + " lse");
}

void TestTable(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  const std::vector<Shape> shapes = {
      // One token: own key only; then decode over splits; then rows before the first key.
      {1, 1, 1, 1, 8, 0, 0, 0, 1, 1},
      {1, 1, 8, 2, 64, 0, 0, 0, 1, 1},
      {1, 3000, 8, 2, 64, 2999, 0, 0, 1, 3},
      {1, 3001, 4, 4, 128, 3000, 0, 0, 3, 3},
      {1, 2500, 7, 1, 32, 2499, 0, 100, 2, 1},
      {2, 1500, 3, 1, 96, 1498, 0, 0, 2, 1},
      {4, 40, 2, 2, 16, 10, 12, 0, 1, 1},
      {8, 700, 1, 1, 64, 692, 0, 37, 1, 1},
      // Prefill from nothing, with partial tiles on every side.
      {5, 5, 9, 3, 24, 0, 0, 0, 1, 1},
      {127, 127, 4, 2, 32, 0, 0, 0, 1, 2},
      {129, 129, 8, 2, 64, 0, 0, 0, 2, 2},
      {300, 300, 2, 2, 64, 0, 0, 64, 1, 2},
      {200, 200, 2, 1, 64, 0, 0, 1, 1, 2},
      {70, 70, 6, 2, 256, 0, 0, 0, 1, 1},
      {33, 33, 5, 5, 248, 0, 0, 9, 2, 1},
      // Chunks on a long prefix, split over keys.
      {16, 2100, 8, 2, 64, 2084, 0, 0, 3, 4},
      {10, 1030, 32, 1, 40, 1020, 0, 200, 2, 2},
      {64, 1500, 4, 1, 128, 1436, 0, 0, 2, 1},
      {48, 600, 4, 4, 80, 552, 0, 500, 1, 1},
      // Nothing visible: keys in the future, keys behind the window, no keys.
      {9, 20, 4, 2, 64, 0, 100, 0, 1, 1},
      {30, 64, 4, 2, 32, 40, 0, 5, 1, 1},
      {30, 10, 4, 2, 32, 5, 20, 0, 2, 1},
      {3, 0, 4, 2, 32, 5, 0, 0, 1, 1},
      // Positions past 2^24, where fp32 positions would be off by one.
      {40, 90, 4, 2, 64, 16777217, 16777167, 13, 2, 2},
      {1, 90, 4, 2, 64, 16777256, 16777167, 13, 2, 2},
  };
  for (const Shape& s : shapes) {
    TestShape(pool, ops, random, s, cpu::DType::kBF16, false);
    TestShape(pool, ops, random, s, cpu::DType::kBF16, true);
    TestShape(pool, ops, random, s, cpu::DType::kF32, true);
  }
  for (int i = 0; i < 30; ++i) {
    const int64_t kv_heads = random.Integer(1, 3);
    const int64_t rows = random.Integer(1, 90);
    const int64_t query_position = random.Integer(0, 400);
    const Shape s{rows,
                  random.Integer(1, 500),
                  kv_heads * random.Integer(1, 6),
                  kv_heads,
                  8 * random.Integer(1, 20),
                  query_position,
                  random.Integer(0, query_position + rows),
                  random.Integer(0, 1) * random.Integer(1, 200),
                  random.Integer(1, 4),
                  static_cast<float>(random.Integer(1, 4))};
    TestShape(pool, ops, random, s, static_cast<cpu::DType>(2 * random.Integer(0, 1)),
              random.Integer(0, 1) == 1);
  }
}

// A flag set before the call: the call returns, and has not computed the whole.
void TestCancel(cpu::ThreadPool& pool, const cpu::OpTable& ops) {
  const int64_t tokens = 4096, d = 64;
  const std::vector<float> q(static_cast<size_t>(tokens * d), 1.0f);
  const std::vector<float> kv(static_cast<size_t>(tokens * d), 1.0f);
  for (const int64_t rows : {int64_t{1}, tokens}) {
    std::vector<float> out(static_cast<size_t>(rows * d), 7.0f);
    std::vector<float> lse(static_cast<size_t>(rows), 7.0f);
    const std::atomic<bool> cancel{true};
    cpu::AttentionParams p{};
    p.q = q.data();
    p.q_row_stride = p.out_row_stride = p.q_head_stride = p.out_head_stride = d;
    p.rows = rows;
    p.heads = p.kv_heads = 1;
    p.head_size = d;
    p.first_position = tokens - rows;
    p.scale = 1;
    p.kv = {kv.data(), kv.data(), cpu::DType::kF32, d, d, tokens, 0};
    p.out = out.data();
    p.lse = lse.data();
    p.cancel = &cancel;
    ops.attention(pool, p);
    Check(std::all_of(out.begin(), out.end(), [](float x) { return x == 7.0f; }),
          std::string("attention ") + ops.name + ": worked on although cancelled");
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
      longsight::test::TestCancel(pool, *ops);
    }
  }
  return longsight::test::Result("attention_test");
}

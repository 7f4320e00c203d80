// AttentionMass against its oracle: GQA ratios, odd head sizes, ragged and empty spans, several
// views, keys behind the last span, and sums that add to what was there.
#include <algorithm>
#include <cmath>

#include "check.h"
#include "cpu/thread_pool.h"
#include "stored.h"
#include "tables.h"

namespace longsight::test {
namespace {

struct Shape {
  int64_t tokens, heads, kv_heads, head_size;
  int64_t views, spans;
  float spread;  // of q and k: larger is a sharper softmax
};

std::string Name(const cpu::OpTable& ops, const Shape& s, cpu::DType type, int threads) {
  return std::string("attention mass ") + ops.name + " " + TypeName(type) + " tokens " +
         std::to_string(s.tokens) + ", heads " + std::to_string(s.heads) + "/" +
         std::to_string(s.kv_heads) + " of " + std::to_string(s.head_size) + ", views " +
         std::to_string(s.views) + ", spans " + std::to_string(s.spans) + ", threads " +
         std::to_string(threads);
}

// `count` ascending numbers up to `most`, some of them equal.
std::vector<int64_t> Ascending(Random& random, int64_t count, int64_t most) {
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < count; ++i) numbers.push_back(random.Integer(0, most));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

void TestShape(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random, const Shape& s,
               cpu::DType type) {
  const std::string what = Name(ops, s, type, pool.threads());
  const int64_t d = s.head_size, head_stride = d + 3, row = s.kv_heads * d;
  const std::vector<float> q = random.Floats(s.heads * head_stride, s.spread);
  const Stored k = Store(random.Floats(s.tokens * row, s.spread), type);
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  std::vector<float> heads;
  for (int64_t h = 0; h < s.heads; ++h) {
    heads.insert(heads.end(), q.begin() + h * head_stride, q.begin() + h * head_stride + d);
  }
  const reference::Heads oracle = {1,
                                   s.heads,
                                   s.kv_heads,
                                   d,
                                   s.tokens,
                                   s.tokens - 1,
                                   0,
                                   0,
                                   static_cast<double>(scale),
                                   heads.data(),
                                   k.values.data(),
                                   k.values.data()};
  const std::vector<double> exact_lse = reference::Attend(oracle).lse;
  const std::vector<float> lse(exact_lse.begin(), exact_lse.end());
  const std::vector<int64_t> ends = Ascending(random, s.spans, s.tokens);

  std::vector<int64_t> cuts = Ascending(random, s.views - 1, s.tokens);
  cuts.push_back(s.tokens);
  std::vector<cpu::KvView> views;
  int64_t begin = 0;
  for (const int64_t end : cuts) {
    const size_t offset = static_cast<size_t>(begin * row) * (type == cpu::DType::kF32 ? 4 : 2);
    const void* keys = k.bytes.data() + offset;
    if (end > begin) views.push_back({keys, nullptr, type, row, d, end - begin, begin});
    begin = end;
  }

  std::vector<float> mass(static_cast<size_t>(s.heads * s.spans), 0.25f);
  cpu::AttentionMassParams p{};
  p.q = q.data();
  p.q_head_stride = head_stride;
  p.heads = s.heads;
  p.kv_heads = s.kv_heads;
  p.head_size = d;
  p.scale = scale;
  p.kv = {views.data(), static_cast<int64_t>(views.size()), s.tokens};
  p.lse = lse.data();
  p.ends = ends.data();
  p.spans = s.spans;
  p.mass = mass.data();
  ops.attention_mass(pool, p);

  std::vector<double> expected;
  for (const std::vector<double>& of_head : reference::SumSpans(oracle, ends)) {
    for (const double part : of_head) expected.push_back(0.25 + part);
  }
  CheckClose(mass, expected, 2e-6, 2e-5, what);
}

void TestTable(cpu::ThreadPool& pool, const cpu::OpTable& ops, Random& random) {
  const Shape shapes[] = {
      {1, 1, 1, 64, 1, 1, 1.0f},      {63, 6, 3, 64, 1, 5, 1.0f},    {64, 4, 4, 128, 2, 3, 1.0f},
      {65, 8, 1, 80, 3, 9, 2.0f},     {1000, 6, 3, 64, 4, 40, 1.0f}, {5000, 2, 1, 72, 2, 300, 3.0f},
      {4097, 16, 2, 33, 5, 17, 1.0f}, {3000, 3, 3, 16, 1, 0, 1.0f},  {700, 6, 2, 64, 2, 11, 1.0f},
      {701, 10, 2, 40, 3, 8, 1.0f},
  };
  for (const Shape& s : shapes) {
    for (const cpu::DType type : {cpu::DType::kF32, cpu::DType::kBF16}) {
      TestShape(pool, ops, random, s, type);
    }
  }
}

void TestCancel(cpu::ThreadPool& pool, const cpu::OpTable& ops) {
  const std::vector<float> ones(static_cast<size_t>(100 * 64), 1.0f);
  const cpu::KvView view = {ones.data(), nullptr, cpu::DType::kF32, 64, 64, 100, 0};
  const std::vector<int64_t> ends = {50, 100};
  const float lse = 1.0f;
  std::vector<float> mass(2, 7.0f);
  const std::atomic<bool> cancel{true};
  cpu::AttentionMassParams p{};
  p.q = ones.data();
  p.heads = p.kv_heads = 1;
  p.head_size = 64;
  p.scale = 1;
  p.kv = {&view, 1, 100};
  p.lse = &lse;
  p.ends = ends.data();
  p.spans = 2;
  p.mass = mass.data();
  p.cancel = &cancel;
  ops.attention_mass(pool, p);
  Check(mass[0] == 7.0f && mass[1] == 7.0f,
        std::string("attention mass ") + ops.name + ": worked on although cancelled");
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::Random random;
  for (const int threads : {1, 3}) {
    longsight::cpu::ThreadPool pool(threads);
    for (const longsight::cpu::OpTable* ops : longsight::test::TablesUnderTest()) {
      longsight::test::TestTable(pool, *ops, random);
      longsight::test::TestCancel(pool, *ops);
    }
  }
  return longsight::test::Result("attention_mass_test");
}

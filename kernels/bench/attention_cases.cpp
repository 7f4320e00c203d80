#include <cmath>

#include "cases.h"
#include "inputs.h"

namespace longsight::bench {
namespace {

struct Shape {
  int64_t rows, tokens, heads, kv_heads, head_size, window;
};

std::string Name(const Shape& s) {
  return std::to_string(s.rows) + " rows on " + std::to_string(s.tokens) + " tokens, " +
         std::to_string(s.heads) + " on " + std::to_string(s.kv_heads) + " heads of " +
         std::to_string(s.head_size) +
         (s.window > 0 ? ", window " + std::to_string(s.window) : "") + ", bf16";
}

// Query-key pairs that the mask lets through, for one head; the rows are the last ones of the
// tokens.
double VisiblePairs(const Shape& s) {
  double pairs = 0;
  for (int64_t r = 0; r < s.rows; ++r) {
    const int64_t own = s.tokens - s.rows + r + 1;
    pairs += static_cast<double>(s.window > 0 ? std::min(own, s.window) : own);
  }
  return pairs;
}

Row MeasureAttention(const BenchContext& c, const char* kernel, const Shape& s, Limit limit,
                     bool round_activations) {
  const std::vector<float> q = RandomFloats(s.rows * s.heads * s.head_size, 1.0f);
  const std::vector<uint16_t> k = RandomBf16(s.tokens * s.kv_heads * s.head_size, 1.0f);
  const std::vector<uint16_t> v = RandomBf16(s.tokens * s.kv_heads * s.head_size, 1.0f);
  std::vector<float> out(q.size());
  std::vector<float> lse(static_cast<size_t>(s.rows * s.heads));
  cpu::AttentionParams p{};
  p.q = q.data();
  p.q_row_stride = p.out_row_stride = s.heads * s.head_size;
  p.q_head_stride = p.out_head_stride = s.head_size;
  p.rows = s.rows;
  p.heads = s.heads;
  p.kv_heads = s.kv_heads;
  p.head_size = s.head_size;
  p.first_position = s.tokens - s.rows;
  p.window = s.window;
  p.scale = 1.0f / std::sqrt(static_cast<float>(s.head_size));
  p.kv = {k.data(), v.data(), cpu::DType::kBF16, s.kv_heads * s.head_size, s.head_size,
          s.tokens, 0};
  p.out = out.data();
  p.lse = lse.data();
  p.round_activations = round_activations;
  const double work = limit == Limit::kRead
                          ? 4.0 * static_cast<double>(s.tokens * s.kv_heads * s.head_size)
                          : 4.0 * VisiblePairs(s) * static_cast<double>(s.heads * s.head_size);
  return Measure(c, kernel, Name(s), limit, work, [&] { c.ops.attention(c.pool, p); });
}

// Whose span a key lies in does not matter to the time: blocks of 64 keys.
Row MeasureMass(const BenchContext& c, const Shape& s) {
  const std::vector<float> q = RandomFloats(s.heads * s.head_size, 1.0f);
  const std::vector<uint16_t> k = RandomBf16(s.tokens * s.kv_heads * s.head_size, 1.0f);
  const cpu::KvView view = {
      k.data(), nullptr, cpu::DType::kBF16, s.kv_heads * s.head_size, s.head_size, s.tokens, 0};
  std::vector<int64_t> ends;
  for (int64_t end = 64; end <= s.tokens; end += 64) ends.push_back(end);
  std::vector<float> lse(static_cast<size_t>(s.heads), 1.0f);
  std::vector<float> mass(ends.size() * static_cast<size_t>(s.heads));
  cpu::AttentionMassParams p{};
  p.q = q.data();
  p.q_head_stride = s.head_size;
  p.heads = s.heads;
  p.kv_heads = s.kv_heads;
  p.head_size = s.head_size;
  p.scale = 1.0f / std::sqrt(static_cast<float>(s.head_size));
  p.kv = {&view, 1, s.tokens};
  p.lse = lse.data();
  p.ends = ends.data();
  p.spans = static_cast<int64_t>(ends.size());
  p.mass = mass.data();
  const double bytes = 2.0 * static_cast<double>(s.tokens * s.kv_heads * s.head_size);
  return Measure(c, "attention mass", Name(s), Limit::kRead, bytes,
                 [&] { c.ops.attention_mass(c.pool, p); });
}

}  // namespace

void BenchAttention(const BenchContext& c, std::vector<Row>& rows) {
  // The last rows of the tokens: a chunk of a long prefill.
  std::vector<Shape> prefill = {{2048, 8192, 8, 2, 64, 0}};
  if (!c.quick) {
    prefill.insert(prefill.end(), {{2048, 32768, 8, 2, 64, 0},
                                   {2048, 8192, 8, 8, 64, 0},
                                   {2048, 8192, 8, 2, 128, 0},
                                   {4096, 32768, 8, 2, 64, 1024}});
  }
  for (const Shape& s : prefill) {
    rows.push_back(MeasureAttention(c, "attention", s, Limit::kFma, false));
    if (c.meter.HasBf16Dot()) {
      rows.push_back(MeasureAttention(c, "attention, bf16", s, Limit::kBf16Dot, true));
    }
  }
  std::vector<Shape> decode = {{1, 262144, 8, 2, 64, 0}};
  if (!c.quick) decode.insert(decode.end(), {{1, 65536, 32, 8, 128, 0}, {1, 65536, 8, 8, 128, 0}});
  for (const Shape& s : decode)
    rows.push_back(MeasureAttention(c, "attention, decode", s, Limit::kRead, false));
  for (const Shape& s : decode) rows.push_back(MeasureMass(c, s));
}

}  // namespace longsight::bench

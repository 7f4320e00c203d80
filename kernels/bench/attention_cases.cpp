#include <cmath>

#include "cases.h"
#include "timing.h"

namespace longsight::bench {
namespace {

struct Shape {
  int64_t rows, tokens, heads, kv_heads, head_size, window;
};

std::string Name(const Shape& s) {
  return std::to_string(s.rows) + " rows on " + std::to_string(s.tokens) + " tokens, " + std::to_string(s.heads) +
         " on " + std::to_string(s.kv_heads) + " heads of " + std::to_string(s.head_size) +
         (s.window > 0 ? ", window " + std::to_string(s.window) : "") + ", bf16";
}

// Query-key pairs that the mask lets through, for one head; the rows are the last ones of the tokens.
double VisiblePairs(const Shape& s) {
  double pairs = 0;
  for (int64_t r = 0; r < s.rows; ++r) {
    const int64_t own = s.tokens - s.rows + r + 1;
    pairs += static_cast<double>(s.window > 0 ? std::min(own, s.window) : own);
  }
  return pairs;
}

double TimeAttention(const BenchContext& c, const Shape& s, double budget, bool cold) {
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
  p.kv = {k.data(), v.data(), cpu::DType::kBF16, s.kv_heads * s.head_size, s.head_size, s.tokens, 0};
  p.out = out.data();
  p.lse = lse.data();
  return MedianSeconds(budget, cold, [&] { c.ops.attention(c.pool, p); });
}

}  // namespace

void BenchAttention(const BenchContext& c, std::vector<Row>& rows) {
  std::vector<Shape> prefill = {{8192, 8192, 8, 2, 64, 0}};
  if (!c.quick) {
    // At 32K the last quarter of the rows stands for a chunk of a long prefill.
    prefill.insert(prefill.end(), {{8192, 32768, 8, 2, 64, 0}, {4096, 8192, 8, 8, 64, 0}, {2048, 8192, 8, 2, 128, 0},
                                   {8192, 32768, 8, 2, 64, 1024}});
  }
  for (const Shape& s : prefill) {
    const double operations = 4.0 * VisiblePairs(s) * static_cast<double>(s.heads * s.head_size);
    const double figure = operations / TimeAttention(c, s, c.quick ? 0.1 : 1.0, false) * 1e-9;
    rows.push_back({"attention", Name(s), figure, "GFLOP/s", figure / c.peaks.fma_gflops, "fp32 FMA peak"});
  }
  std::vector<Shape> decode = {{1, 262144, 8, 2, 64, 0}};
  if (!c.quick) decode.insert(decode.end(), {{1, 65536, 32, 8, 128, 0}, {1, 65536, 8, 8, 128, 0}});
  for (const Shape& s : decode) {
    const double bytes = 2.0 * 2.0 * static_cast<double>(s.tokens * s.kv_heads * s.head_size);
    const double figure = bytes / TimeAttention(c, s, c.quick ? 0.1 : 0.5, true) * 1e-9;
    rows.push_back({"attention, decode", Name(s), figure, "GB/s", figure / c.peaks.read_gbps, "memory read"});
  }
}

}  // namespace longsight::bench

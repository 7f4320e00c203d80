// AttentionMass on the GPU against its oracle: GQA ratios, head sizes, ragged and empty spans,
// spans of many pieces, more runs than a launch takes, keys behind the last span.
#include <algorithm>
#include <cmath>

#include "cuda/attention_mass.h"
#include "cuda_cache.h"

namespace longsight::test {
namespace {

struct Shape {
  int64_t tokens, heads, kv_heads, head_size;
  int64_t runs, spans;
  float spread;  // of q and k: larger is a sharper softmax
  bool fp8 = false;
};

void TestShape(Random& random, const Shape& s) {
  const std::string what = "attention mass, tokens " + std::to_string(s.tokens) + ", heads " +
                           std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) + " of " +
                           std::to_string(s.head_size) + ", runs " + std::to_string(s.runs) +
                           ", spans " + std::to_string(s.spans) + (s.fp8 ? ", fp8" : "");
  const Stored q = Store(random.Floats(s.heads * s.head_size, s.spread), cpu::DType::kBF16);
  const CacheShape shape = {s.tokens, s.kv_heads, s.head_size};
  const int64_t kv = s.tokens * s.kv_heads * s.head_size;
  const Cached k = Cache(shape, s.fp8, random.Floats(kv, s.spread));
  const RunMemory memory = Cut(random, shape, s.runs, 0, k, k);
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.head_size));
  const reference::Heads oracle = {1,
                                   s.heads,
                                   s.kv_heads,
                                   s.head_size,
                                   s.tokens,
                                   s.tokens - 1,
                                   0,
                                   0,
                                   static_cast<double>(scale),
                                   q.values.data(),
                                   k.values.data(),
                                   k.values.data()};
  const std::vector<double> exact_lse = reference::Attend(oracle).lse;
  const std::vector<float> lse(exact_lse.begin(), exact_lse.end());
  std::vector<int64_t> ends, run_ends;
  for (int64_t i = 0; i < s.spans; ++i) ends.push_back(random.Integer(0, s.tokens));
  std::sort(ends.begin(), ends.end());
  for (const cuda::CachedRun& run : memory.runs)
    run_ends.push_back(run.first_position + run.tokens);

  const cuda::MassPieces cut(ends, run_ends);
  const auto pieces = static_cast<int64_t>(cut.pieces.size());
  const DeviceBytes q_device = OnDevice(q), lse_device = OnDevice(lse);
  const DeviceBytes pieces_device(cut.pieces.data(), cut.pieces.size() * sizeof(cuda::MassPiece));
  const DeviceBytes spans_device(cut.first_of_span.data(), cut.first_of_span.size() * 4);
  const DeviceBytes partial = EmptyOnDevice(cuda::DType::kF32, s.heads * pieces);
  const DeviceBytes mass = EmptyOnDevice(cuda::DType::kF32, s.heads * s.spans);
  cuda::AttentionMassParams p{};
  p.q = q_device.data();
  p.lse = static_cast<const float*>(lse_device.data());
  p.heads = s.heads;
  p.kv_heads = s.kv_heads;
  p.head_size = s.head_size;
  p.scale = scale;
  p.runs = memory.runs.data();
  p.run_count = static_cast<int64_t>(memory.runs.size());
  p.kv_type = s.fp8 ? cuda::DType::kE4M3 : cuda::DType::kBF16;
  p.pieces = static_cast<const cuda::MassPiece*>(pieces_device.data());
  p.piece_count = pieces;
  p.host_pieces = cut.pieces.data();
  p.first_of_span = static_cast<const int32_t*>(spans_device.data());
  p.spans = s.spans;
  p.partial = static_cast<float*>(partial.data());
  p.mass = static_cast<float*>(mass.data());
  CheckCuda(cuda::AttentionMass(p), what);

  std::vector<double> expected;
  for (const std::vector<double>& of_head : reference::SumSpans(oracle, ends)) {
    expected.insert(expected.end(), of_head.begin(), of_head.end());
  }
  CheckClose(mass.Floats(cuda::DType::kF32, s.heads * s.spans), expected, 2e-6, 2e-5, what);
}

int Run() {
  if (!HasDevice()) return kNoDevice;
  Random random;
  const std::vector<Shape> shapes = {
      {1, 1, 1, 64, 1, 1, 1.0f},      {63, 6, 3, 64, 1, 5, 1.0f},
      {64, 4, 4, 128, 2, 3, 1.0f},    {65, 8, 1, 80, 3, 9, 2.0f},
      {1000, 6, 3, 64, 4, 40, 1.0f},  {5000, 2, 1, 72, 2, 300, 3.0f},
      {4097, 16, 2, 24, 5, 17, 1.0f}, {3000, 3, 3, 16, 1, 0, 1.0f},
      {20000, 7, 1, 128, 1, 2, 1.0f}, {9000, 12, 1, 96, 2, 3, 2.0f},
      {700, 10, 2, 32, 60, 11, 1.0f}, {30000, 32, 8, 128, 3, 50, 1.5f},
  };
  for (Shape shape : shapes) {
    TestShape(random, shape);
    shape.fp8 = true;
    if (shape.head_size % 16 == 0) TestShape(random, shape);
  }
  return Result("cuda_mass_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

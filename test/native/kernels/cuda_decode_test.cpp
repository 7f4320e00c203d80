// AttentionDecode against its oracle: GQA ratios, head sizes, windows, many runs, splits and
// merges, rows that see nothing, and long contexts.
#include <algorithm>
#include <cmath>

#include "cuda_cache.h"

namespace longsight::test {
namespace {

struct Shape {
  int64_t rows, tokens, heads, kv_heads, head_size;
  int64_t query_position, key_position, window;
  int64_t runs;
  float spread;  // of q and k: larger is a sharper softmax
  bool fp8 = false;
};

std::string Name(const Shape& s) {
  return "decode attention, rows " + std::to_string(s.rows) + " at " +
         std::to_string(s.query_position) + ", tokens " + std::to_string(s.tokens) + " at " +
         std::to_string(s.key_position) + ", heads " + std::to_string(s.heads) + "/" +
         std::to_string(s.kv_heads) + " of " + std::to_string(s.head_size) + ", window " +
         std::to_string(s.window) + ", runs " + std::to_string(s.runs) + (s.fp8 ? ", fp8" : "");
}

CacheShape Dimensions(const Shape& s) { return {s.tokens, s.kv_heads, s.head_size}; }

void TestShape(Random& random, int multiprocessors, const Shape& s) {
  const std::string what = Name(s);
  const int64_t n = s.rows * s.heads * s.head_size;
  const Stored q = Store(random.Floats(n, s.spread), cpu::DType::kBF16);
  const int64_t kv = s.tokens * s.kv_heads * s.head_size;
  const Cached k = Cache(Dimensions(s), s.fp8, random.Floats(kv, s.spread));
  const Cached v = Cache(Dimensions(s), s.fp8, random.Floats(kv, 1.0f));
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.head_size));
  const reference::Attended expected = reference::Attend(
      {s.rows, s.heads, s.kv_heads, s.head_size, s.tokens, s.query_position, s.key_position,
       s.window, static_cast<double>(scale), q.values.data(), k.values.data(), v.values.data()});

  const RunMemory memory = Cut(random, Dimensions(s), s.runs, s.key_position, k, v);
  const DeviceBytes q_device = OnDevice(q);
  const DeviceBytes out = EmptyOnDevice(cuda::DType::kBF16, n);
  const DeviceBytes lse = EmptyOnDevice(cuda::DType::kF32, s.rows * s.heads);
  const DeviceBytes workspace(static_cast<size_t>(cuda::kAttentionWorkspace));
  cuda::AttentionDecodeParams p{};
  p.q = q_device.data();
  p.q_row_stride = p.out_row_stride = s.heads * s.head_size;
  p.rows = s.rows;
  p.heads = s.heads;
  p.kv_heads = s.kv_heads;
  p.head_size = s.head_size;
  p.first_position = s.query_position;
  p.window = s.window;
  p.scale = scale;
  p.runs = memory.runs.data();
  p.run_count = static_cast<int64_t>(memory.runs.size());
  p.kv_type = s.fp8 ? cuda::DType::kE4M3 : cuda::DType::kBF16;
  p.out = out.data();
  p.lse = static_cast<float*>(lse.data());
  p.workspace = workspace.data();
  p.multiprocessors = multiprocessors;
  const auto check = [&](const std::string& how) {
    CheckCuda(cuda::AttentionDecode(p), how);
    // Weights are rounded to bf16, and so is the result; values reach 1.
    CheckClose(out.Floats(cuda::DType::kBF16, n), expected.out, 1.0 / 256, 1.0 / 256, how + " out");
    CheckClose(lse.Floats(cuda::DType::kF32, s.rows * s.heads), expected.lse, 2e-5, 2e-6,
               how + " lse");
  };
  check(what);
  // The same from the second token on, where none sees the first.
  if (s.window > 0 && s.query_position - s.window >= s.key_position) {
    std::vector<cuda::CachedRun> later = memory.runs;
    cuda::CachedRun& run = later.front();
    const int64_t row = s.kv_heads * s.head_size * (s.fp8 ? 1 : 2);
    const auto after = [](const void*& data, int64_t bytes) {
      if (data != nullptr) data = static_cast<const std::byte*>(data) + bytes;
    };
    after(run.k, row);
    after(run.v, row);
    after(run.k_scales, s.kv_heads * 2);
    after(run.v_scales, s.kv_heads * 2);
    --run.tokens;
    ++run.first_position;
    p.runs = later.data();
    check(what + ", from the second token on");
    p.runs = memory.runs.data();
  }
  // The same as a later step of a recorded launch, whose last run claims what is not there yet.
  constexpr int64_t kStep = 3;
  const DeviceBytes step(&kStep, sizeof kStep);
  std::vector<cuda::CachedRun> claimed = memory.runs;
  if (s.query_position + s.rows <= s.key_position + s.tokens) claimed.back().tokens += 40;
  p.runs = claimed.data();
  p.first_position -= kStep;
  p.step = static_cast<const int64_t*>(step.data());
  check(what + ", as a step");
}

int Run() {
  if (!HasDevice()) return kNoDevice;
  cuda::DeviceInfo info;
  CheckCuda(cuda::GetDeviceInfo(0, &info), "the device's properties");
  std::printf("%s, sm_%d%d, %d multiprocessors\n", info.name.c_str(), info.major, info.minor,
              info.multiprocessors);
  Random random;
  const std::vector<Shape> shapes = {
      // One token: own key only; then decode over splits; then rows before the first key.
      {1, 1, 1, 1, 8, 0, 0, 0, 1, 1},
      {1, 1, 8, 2, 64, 0, 0, 0, 1, 1},
      {1, 3000, 8, 2, 64, 2999, 0, 0, 1, 3},
      {1, 3001, 4, 4, 128, 3000, 0, 0, 3, 3},
      {1, 20000, 8, 2, 128, 19999, 0, 0, 2, 2},
      {1, 2500, 7, 1, 32, 2499, 0, 100, 2, 1},
      {2, 1500, 3, 1, 96, 1498, 0, 0, 2, 1},
      {4, 40, 2, 2, 16, 10, 12, 0, 1, 1},
      {8, 700, 1, 1, 64, 692, 0, 37, 1, 1},
      {1, 900, 9, 3, 64, 899, 0, 500, 2, 2},
      // Questions: more rows than a tile has; more runs than a launch takes.
      {64, 5000, 8, 2, 128, 4936, 0, 0, 3, 2},
      {33, 900, 7, 1, 128, 867, 0, 0, 5, 1},
      {1, 160, 6, 2, 16, 159, 0, 0, 160, 1},
      {40, 160, 6, 2, 24, 120, 0, 0, 50, 1},
      {3, 4000, 16, 1, 128, 3997, 0, 0, 17, 2},
      // Prefill from nothing, with partial tiles on every side.
      {5, 5, 9, 3, 24, 0, 0, 0, 1, 1},
      {127, 127, 4, 2, 32, 0, 0, 0, 1, 2},
      {129, 129, 8, 2, 64, 0, 0, 0, 2, 2},
      {300, 300, 2, 2, 64, 0, 0, 64, 1, 2},
      {200, 200, 2, 1, 96, 0, 0, 1, 1, 2},
      {70, 1000, 6, 3, 128, 930, 0, 333, 4, 1},
      // Far out: positions beyond 32 bits' reach of elements.
      {2, 300, 4, 2, 128, 3000000298, 3000000000, 0, 2, 1},
  };
  for (Shape shape : shapes) {
    TestShape(random, info.multiprocessors, shape);
    shape.fp8 = true;
    if (shape.head_size % 16 == 0) TestShape(random, info.multiprocessors, shape);
  }
  return Result("cuda_decode_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

// Dense prefill attention on the GPU against fp64 loops.
#include <algorithm>
#include <cmath>

#include "attention_shapes.h"
#include "cuda/attention.h"
#include "reference/reference.h"

namespace longsight::test {
namespace {

struct Shape {
  int64_t rows, heads, kv_heads, head_size;
  int64_t first_position;
  // The run: its first position and tokens; -1: up to the last row.
  int64_t run_first = 0, tokens = -1;
  int64_t window = 0;
  // The run is cut here in two, and the parts are merged; 0: not.
  int64_t cut = 0;

  std::string Name() const {
    char text[160];
    std::snprintf(
        text, sizeof text,
        "%lld rows at %lld, %lld on %lld heads of %lld, run %lld + %lld, window %lld, cut %lld",
        static_cast<long long>(rows), static_cast<long long>(first_position),
        static_cast<long long>(heads), static_cast<long long>(kv_heads),
        static_cast<long long>(head_size), static_cast<long long>(run_first),
        static_cast<long long>(tokens), static_cast<long long>(window),
        static_cast<long long>(cut));
    return text;
  }
};

void Compare(Random& random, Shape s) {
  if (s.tokens < 0) s.tokens = s.first_position + s.rows - s.run_first;
  Stored q(random, s.rows, s.heads, s.head_size, 2.0f);
  Stored k(random, s.tokens, s.kv_heads, s.head_size, 2.0f);
  Stored v(random, s.tokens, s.kv_heads, s.head_size, 1.0f);
  const int64_t out_stride = s.heads * s.head_size + 16;
  DeviceArray<uint16_t> out(static_cast<size_t>(s.rows * out_stride));
  DeviceArray<float> lse(static_cast<size_t>(s.rows * s.heads));
  DeviceArray<int32_t> next_task(1);
  cuda::PrefillParams p{};
  p.q = q.device.data();
  p.q_row_stride = q.row_stride;
  p.q_head_stride = s.head_size;
  p.rows = s.rows;
  p.heads = s.heads;
  p.kv_heads = s.kv_heads;
  p.head_size = s.head_size;
  p.first_position = s.first_position;
  p.window = s.window;
  p.scale = 1.0f / std::sqrt(static_cast<float>(s.head_size));
  p.out = out.data();
  p.out_row_stride = out_stride;
  p.out_head_stride = s.head_size;
  p.lse = lse.data();
  p.next_task = next_task.data();
  const int64_t cuts[] = {0, s.cut > 0 ? s.cut : s.tokens, s.tokens};
  for (int part = 0; part < (s.cut > 0 ? 2 : 1); ++part) {
    p.kv = {k.device.data() + cuts[part] * k.row_stride,
            v.device.data() + cuts[part] * v.row_stride,
            k.row_stride,
            s.head_size,
            cuts[part + 1] - cuts[part],
            s.run_first + cuts[part]};
    p.merge = part > 0;
    const cuda::Launched launched = cuda::PrefillAttention(p);
    Check(launched.ok(), s.Name() + ": " + launched.what);
    Cuda(cudaDeviceSynchronize(), s.Name().c_str());
  }
  const reference::Attended expected = reference::Attend(
      {s.rows, s.heads, s.kv_heads, s.head_size, s.tokens, s.first_position, s.run_first, s.window,
       static_cast<double>(p.scale), q.values.data(), k.values.data(), v.values.data()});
  CheckClose(Widened(out, s.rows, s.heads * s.head_size, out_stride), expected.out, kOutAbsolute,
             kOutRelative, s.Name() + ": out");
  CheckClose(lse.Download(), expected.lse, kLseAbsolute, kLseRelative, s.Name() + ": lse");
}

void Refusals() {
  cuda::PrefillParams p{};
  p.rows = 1;
  p.heads = p.kv_heads = 1;
  p.head_size = 80;
  Check(!cuda::PrefillAttention(p).ok(), "a head size of 80 is refused");
  p.head_size = 64;
  p.q_row_stride = p.q_head_stride = p.out_row_stride = p.out_head_stride = 64;
  p.kv.row_stride = 60;
  p.kv.head_stride = 64;
  Check(!cuda::PrefillAttention(p).ok(), "a row stride of 60 is refused");
}

int Run(bool quick) {
  if (NoDevice()) return 77;
  Random random;
  Refusals();
  std::vector<Shape> shapes = {
      {.rows = 1, .heads = 1, .kv_heads = 1, .head_size = 128, .first_position = 0},
      {.rows = 128, .heads = 2, .kv_heads = 1, .head_size = 128, .first_position = 0},
      {.rows = 300, .heads = 4, .kv_heads = 2, .head_size = 64, .first_position = 77},
      {.rows = 200,
       .heads = 3,
       .kv_heads = 1,
       .head_size = 96,
       .first_position = 131,
       .window = 100},
      {.rows = 130, .heads = 4, .kv_heads = 2, .head_size = 128, .first_position = 400, .cut = 333},
  };
  if (!quick) {
    const std::vector<Shape> more = {
        {.rows = 7, .heads = 8, .kv_heads = 8, .head_size = 128, .first_position = 1000},
        {.rows = 129, .heads = 8, .kv_heads = 2, .head_size = 128, .first_position = 0},
        {.rows = 700, .heads = 8, .kv_heads = 2, .head_size = 128, .first_position = 0},
        {.rows = 513, .heads = 7, .kv_heads = 1, .head_size = 64, .first_position = 511},
        {.rows = 385, .heads = 2, .kv_heads = 2, .head_size = 96, .first_position = 0},
        {.rows = 600,
         .heads = 2,
         .kv_heads = 1,
         .head_size = 64,
         .first_position = 300,
         .window = 512},
        {.rows = 300,
         .heads = 2,
         .kv_heads = 1,
         .head_size = 128,
         .first_position = 700,
         .window = 1},
        // Runs that end before the rows, begin after some of them, or lie apart from them.
        {.rows = 200,
         .heads = 2,
         .kv_heads = 1,
         .head_size = 128,
         .first_position = 500,
         .tokens = 301},
        {.rows = 300,
         .heads = 2,
         .kv_heads = 1,
         .head_size = 128,
         .first_position = 100,
         .run_first = 250},
        {.rows = 260,
         .heads = 2,
         .kv_heads = 1,
         .head_size = 64,
         .first_position = 900,
         .run_first = 600,
         .tokens = 100,
         .window = 350},
        {.rows = 300,
         .heads = 2,
         .kv_heads = 1,
         .head_size = 128,
         .first_position = 100,
         .cut = 201},
    };
    shapes.insert(shapes.end(), more.begin(), more.end());
    // More tasks than multiprocessors, of every length.
    shapes.push_back(
        {.rows = 1500, .heads = 16, .kv_heads = 4, .head_size = 64, .first_position = 0});
    for (int i = 0; i < 12; ++i) {
      const int64_t sizes[] = {64, 96, 128};
      Shape s{.rows = random.Integer(1, 600), .head_size = sizes[random.Integer(0, 2)]};
      s.kv_heads = random.Integer(1, 3);
      s.heads = s.kv_heads * random.Integer(1, 4);
      s.first_position = random.Integer(0, 900);
      s.window = random.Integer(0, 2) == 0 ? random.Integer(1, 700) : 0;
      if (random.Integer(0, 1) == 0) s.cut = random.Integer(1, s.first_position + s.rows - 1 + 1);
      if (s.cut >= s.first_position + s.rows) s.cut = 0;
      shapes.push_back(s);
    }
  }
  for (const Shape& s : shapes) Compare(random, s);
  std::printf("%s: %zu shapes, %d failures\n", failures == 0 ? "passed" : "FAILED", shapes.size(),
              failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace longsight::test

int main(int count, char** arguments) {
  return longsight::test::Run(longsight::test::IsQuick(count, arguments));
}

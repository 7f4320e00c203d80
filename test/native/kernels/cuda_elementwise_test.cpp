// The GPU's small operations against their oracles.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cuda/argmax.h"
#include "cuda_memory.h"

namespace longsight::test {
namespace {

using cuda::DType;

// A bf16 result: half a unit in the last place, and what fp32 arithmetic adds.
constexpr double kBf16 = 1.0 / 256 + 1e-5;

void TestRmsNorm(Random& random, int64_t rows, int64_t n, bool bf16_input) {
  const std::string what = "rms norm " + std::to_string(rows) + " x " + std::to_string(n);
  const Stored x =
      Store(random.Floats(rows * n, 3.0f), bf16_input ? cpu::DType::kBF16 : cpu::DType::kF32);
  const std::vector<float> weight = random.Floats(n, 2.0f);
  std::vector<double> expected(static_cast<size_t>(rows * n));
  reference::Normalize(x.values.data(), weight.data(), rows, n, 1e-5, expected.data());
  const DeviceBytes x_device = OnDevice(x), weight_device = OnDevice(weight);
  const DeviceBytes y = EmptyOnDevice(DType::kBF16, rows * n);
  cuda::RmsNormParams p{};
  p.x = x_device.data();
  p.x_type = bf16_input ? DType::kBF16 : DType::kF32;
  p.x_stride = n;
  p.weight = static_cast<const float*>(weight_device.data());
  p.y = bf16_input ? x_device.data() : y.data();  // in place, as heads are normalised
  p.y_stride = n;
  p.rows = rows;
  p.n = n;
  p.eps = 1e-5f;
  CheckCuda(cuda::RmsNorm(p), what);
  const DeviceBytes& result = bf16_input ? x_device : y;
  CheckClose(result.Floats(DType::kBF16, rows * n), expected, 1e-6, kBf16, what);
}

void TestRope(Random& random, int64_t rows, int64_t heads, int64_t head_size, int64_t rotary,
              int64_t position, bool interleaved) {
  const std::string what = "rope at " + std::to_string(position) + ", heads of " +
                           std::to_string(head_size) + ", " + std::to_string(rotary) + " turn";
  const Stored x = Store(random.Floats(rows * heads * head_size, 2.0f), cpu::DType::kBF16);
  std::vector<double> frequency;
  for (int64_t i = 0; i < rotary / 2; ++i) {
    frequency.push_back(std::pow(1e7, -2.0 * static_cast<double>(i) / static_cast<double>(rotary)));
  }
  std::vector<double> expected(x.values.begin(), x.values.end());
  reference::Rotate({rows, heads, head_size, rotary, position, frequency.data(), 1.25, interleaved},
                    x.values.data(), expected.data());
  const DeviceBytes x_device = OnDevice(x);
  const DeviceBytes frequency_device(frequency.data(), frequency.size() * sizeof(double));
  cuda::RopeParams p{};
  p.x = x_device.data();
  p.row_stride = heads * head_size;
  p.head_stride = head_size;
  p.rows = rows;
  p.heads = heads;
  p.rotary = rotary;
  p.inverse_frequency = static_cast<const double*>(frequency_device.data());
  p.first_position = position;
  p.magnitude = 1.25f;
  p.interleaved = interleaved;
  // Half of the position as a step.
  const int64_t half = position / 2;
  const DeviceBytes step(&half, sizeof half);
  p.first_position -= half;
  p.step = static_cast<const int64_t*>(step.data());
  CheckCuda(cuda::Rope(p), what);
  // A pair's sum may cancel: its error is of the size of its terms.
  CheckClose(x_device.Floats(DType::kBF16, rows * heads * head_size), expected, 2e-6, kBf16, what);
}

void TestSwiGlu(Random& random, int64_t rows, int64_t n) {
  const std::string what = "swiglu " + std::to_string(rows) + " x " + std::to_string(n);
  const Stored gate = Store(random.Floats(rows * n, 20.0f), cpu::DType::kBF16);
  const Stored up = Store(random.Floats(rows * n, 3.0f), cpu::DType::kBF16);
  std::vector<double> expected(static_cast<size_t>(rows * n));
  reference::Gate(gate.values.data(), up.values.data(), rows * n, expected.data());
  const DeviceBytes gate_device = OnDevice(gate), up_device = OnDevice(up);
  CheckCuda(
      cuda::SwiGlu({gate_device.data(), up_device.data(), n, n, gate_device.data(), n, rows, n}),
      what);
  CheckClose(gate_device.Floats(DType::kBF16, rows * n), expected, 1e-9, kBf16, what);
}

// Equal to the CPU's and the oracle's rounding, bit by bit.
void TestConvert(Random& random) {
  std::vector<float> values = random.Floats(5001, 1e3f);
  values[0] = INFINITY;
  values[1] = -0.0f;
  values[2] = 1e-40f;
  values[3] = 1.00390625f;  // a tie
  const Stored expected = Store(values, cpu::DType::kBF16);
  const DeviceBytes wide = OnDevice(values);
  const auto n = static_cast<int64_t>(values.size());
  const DeviceBytes narrow = EmptyOnDevice(DType::kBF16, n), back = EmptyOnDevice(DType::kF32, n);
  CheckCuda(cuda::Convert({wide.data(), DType::kF32, narrow.data(), DType::kBF16, n}), "convert");
  CheckCuda(cuda::Convert({narrow.data(), DType::kBF16, back.data(), DType::kF32, n}), "convert");
  const std::vector<double> exact(expected.values.begin(), expected.values.end());
  CheckClose(narrow.Floats(DType::kBF16, n), exact, 0, 0, "convert to bf16");
  CheckClose(back.Floats(DType::kF32, n), exact, 0, 0, "convert back");
  // The second of two rows, as it is.
  constexpr int64_t kStep = 1;
  const DeviceBytes step(&kStep, sizeof kStep), rows = EmptyOnDevice(DType::kBF16, 2 * n);
  cuda::ConvertParams stepped = {narrow.data(), DType::kBF16, rows.data(), DType::kBF16, n};
  stepped.step = static_cast<const int64_t*>(step.data());
  CheckCuda(cuda::Convert(stepped), "convert a step");
  const std::vector<float> both = rows.Floats(DType::kBF16, 2 * n);
  CheckClose(std::vector<float>(both.begin() + n, both.end()), exact, 0, 0, "convert a step");
  const Stored half = Store(random.Floats(1000, 10.0f), cpu::DType::kF16);
  const DeviceBytes half_device = OnDevice(half), of_half = EmptyOnDevice(DType::kBF16, 1000);
  CheckCuda(cuda::Convert({half_device.data(), DType::kF16, of_half.data(), DType::kBF16, 1000}),
            "f16");
  const Stored rounded = Store(half.values, cpu::DType::kBF16);
  CheckClose(of_half.Floats(DType::kBF16, 1000), {rounded.values.begin(), rounded.values.end()}, 0,
             0, "convert f16 to bf16");
}

// Rows in longer strides than they need, and the same sums to the last bit in every run.
void TestCompareHeads(Random& random, int64_t rows, int64_t heads, int64_t head_size) {
  const std::string what = "compare " + std::to_string(rows) + " rows, " + std::to_string(heads) +
                           " heads of " + std::to_string(head_size);
  const int64_t n = heads * head_size, stride = n + 16;
  const Stored expected = Store(random.Floats(rows * n, 3.0f), cpu::DType::kBF16);
  std::vector<float> near = random.Floats(rows * n, 0.1f);
  for (size_t i = 0; i < near.size(); ++i) near[i] += expected.values[i];
  const Stored actual = Store(near, cpu::DType::kBF16);
  const DeviceBytes packed = OnDevice(expected), apart = EmptyOnDevice(DType::kBF16, rows * stride);
  CheckCuda(cudaMemcpy2D(apart.data(), static_cast<size_t>(2 * stride), actual.data(),
                         static_cast<size_t>(2 * n), static_cast<size_t>(2 * n),
                         static_cast<size_t>(rows), cudaMemcpyHostToDevice),
            what);
  const DeviceBytes workspace(static_cast<size_t>(cuda::CompareHeadsWorkspaceBytes(heads)));
  std::vector<double> first;
  for (int run = 0; run < 2; ++run) {
    std::vector<double> sums(static_cast<size_t>(2 * heads));
    const DeviceBytes on_device(sums.size() * sizeof(double));
    CheckCuda(cuda::CompareHeads({packed.data(), n, apart.data(), stride, rows, heads, head_size,
                                  static_cast<double*>(on_device.data()), workspace.data()}),
              what);
    CheckCuda(cudaMemcpy(sums.data(), on_device.data(), sums.size() * sizeof(double),
                         cudaMemcpyDeviceToHost),
              what);
    CheckClose(sums,
               reference::CompareHeads(expected.values.data(), actual.values.data(), rows, heads,
                                       head_size),
               0, 1e-11, what);
    if (run == 0) first = sums;
    Check(sums == first, what + ": another run, other sums");
  }
}

// Each head to within half a step of e4m3 at its scale, whose largest element fills the range; and
// back, exactly the stored value.
void TestQuantize(Random& random, int64_t rows, int64_t heads, int64_t head_size) {
  const std::string what = "quantize heads of " + std::to_string(head_size);
  std::vector<float> values = random.Floats(rows * heads * head_size, 1.0f);
  for (int64_t i = 0; i < rows * heads * head_size; ++i) {
    const int64_t head = i / head_size;
    values[i] *= head == 0 ? 0.0f : std::ldexp(1.0f, static_cast<int>(head % 40) - 20);
  }
  const Stored x = Store(values, cpu::DType::kBF16);
  const int64_t n = rows * heads * head_size;
  const DeviceBytes x_device = OnDevice(x), y(static_cast<size_t>(n));
  const DeviceBytes scales = EmptyOnDevice(DType::kBF16, rows * heads);
  const DeviceBytes back = EmptyOnDevice(DType::kBF16, n);
  CheckCuda(cuda::Quantize({x_device.data(), y.data(), scales.data(), rows, heads, head_size}),
            what);
  CheckCuda(cuda::Dequantize({y.data(), scales.data(), back.data(), rows, heads, head_size}), what);
  // The same as the third step of a recorded launch.
  constexpr int64_t kStep = 2;
  const DeviceBytes step(&kStep, sizeof kStep), later(static_cast<size_t>(3 * n));
  const DeviceBytes later_scales = EmptyOnDevice(DType::kBF16, 3 * rows * heads);
  cuda::QuantizeParams stepped = {x_device.data(), later.data(), later_scales.data(), rows,
                                  heads,           head_size};
  stepped.step = static_cast<const int64_t*>(step.data());
  CheckCuda(cuda::Quantize(stepped), what);
  const std::vector<unsigned char> once = y.Bytes(), thrice = later.Bytes();
  Check(std::equal(once.begin(), once.end(), thrice.begin() + 2 * n), what + ": as a step");
  const std::vector<float> scale = scales.Floats(DType::kBF16, rows * heads);
  const std::vector<float> of_step = later_scales.Floats(DType::kBF16, 3 * rows * heads);
  Check(std::equal(scale.begin(), scale.end(), of_step.begin() + 2 * rows * heads),
        what + ": the scales of a step");
  const std::vector<float> returned = back.Floats(DType::kBF16, n);
  std::vector<uint8_t> bits(static_cast<size_t>(n));
  CheckCuda(cudaMemcpy(bits.data(), y.data(), bits.size(), cudaMemcpyDeviceToHost), what);
  for (int64_t i = 0; i < n; ++i) {
    const double s = static_cast<double>(scale[i / head_size]),
                 value = reference::E4M3Value(bits[i]) * s;
    const double exact = static_cast<double>(x.values[i]);
    Check(std::fabs(value - exact) <= std::fabs(exact) / 15 + s * 0x1p-10, what + ": too far off");
    Check(std::fabs(static_cast<double>(returned[i]) - value) <= std::fabs(value) / 256,
          what + ": came back as another");
  }
}

void TestEmbed(Random& random) {
  const Stored table = Store(random.Floats(50 * 96, 1.0f), cpu::DType::kBF16);
  std::vector<uint32_t> ids;
  std::vector<double> expected;
  for (int i = 0; i < 33; ++i) {
    ids.push_back(static_cast<uint32_t>(random.Integer(0, 49)));
    const auto row = table.values.begin() + ids.back() * 96;
    expected.insert(expected.end(), row, row + 96);
  }
  const DeviceBytes table_device = OnDevice(table),
                    ids_device(ids.data(), ids.size() * sizeof(uint32_t));
  const DeviceBytes y = EmptyOnDevice(DType::kF32, 33 * 96);
  CheckCuda(cuda::Embed({table_device.data(), static_cast<const uint32_t*>(ids_device.data()), 33,
                         96, static_cast<float*>(y.data())}),
            "embed");
  CheckClose(y.Floats(DType::kF32, 33 * 96), expected, 0, 0, "embed");
}

// Few different values, so that most are there many times.
void TestArgmax(Random& random, int64_t n, float size) {
  std::vector<float> logits = random.Floats(n, size);
  for (float& logit : logits) logit = std::round(logit);
  const auto find = [&](const std::string& what) {
    const DeviceBytes device(logits.data(), logits.size() * sizeof(float));
    const DeviceBytes key(sizeof(uint64_t));
    CheckCuda(cuda::Argmax({static_cast<const float*>(device.data()), n,
                            static_cast<uint64_t*>(key.data())}),
              what);
    uint64_t found = 0;
    CheckCuda(cudaMemcpy(&found, key.data(), sizeof found, cudaMemcpyDeviceToHost), what);
    return found;
  };
  const std::string what = "the largest of " + std::to_string(n);
  size_t best = 0;
  for (size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best]) best = i;
  }
  Check(cuda::ArgmaxId(find(what)) == best, what);
  for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
    const float was = logits[static_cast<size_t>(at)];
    logits[static_cast<size_t>(at)] = 1e30f;
    Check(cuda::ArgmaxId(find(what)) == static_cast<uint32_t>(at), what + ", wherever it is");
    logits[static_cast<size_t>(at)] = std::nanf("");
    Check(find(what) == cuda::kNanKey, what + ", NaN");
    logits[static_cast<size_t>(at)] = was;
  }
  std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
  Check(cuda::ArgmaxId(find(what)) == 0, what + ", none of them finite");
}

int Run() {
  if (!HasDevice()) return kNoDevice;
  Random random;
  for (const int64_t n : {1, 31, 257, 1000, 128256, 151936, 300001}) {
    TestArgmax(random, n, 3.0f);
    TestArgmax(random, n, 0.4f);  // all zeros, of both signs
  }
  for (const bool bf16_input : {false, true}) {
    TestRmsNorm(random, 1, 4096, bf16_input);
    TestRmsNorm(random, 7, 1003, bf16_input);
    TestRmsNorm(random, 333, 128, bf16_input);
    TestRmsNorm(random, 19, 24, bf16_input);
    TestRmsNorm(random, 100, 96, bf16_input);
  }
  for (const int64_t position : {int64_t{0}, int64_t{1000000}, int64_t{16777217}}) {
    TestRope(random, 5, 6, 128, 128, position, false);
    TestRope(random, 3, 4, 128, 64, position, true);
    TestRope(random, 70, 3, 24, 24, position, false);
  }
  TestSwiGlu(random, 3, 160);
  TestSwiGlu(random, 5, 77);
  TestSwiGlu(random, 200, 1536);
  TestConvert(random);
  TestQuantize(random, 37, 3, 128);
  TestQuantize(random, 5, 8, 24);
  TestCompareHeads(random, 1, 1, 8);
  TestCompareHeads(random, 130, 7, 24);
  TestCompareHeads(random, 333, 12, 96);
  TestCompareHeads(random, 4000, 9, 64);
  TestCompareHeads(random, 1000, 32, 128);
  // So many rows that parts are longer.
  TestCompareHeads(random, 140'000, 1, 8);
  TestEmbed(random);
  return Result("cuda_elementwise_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

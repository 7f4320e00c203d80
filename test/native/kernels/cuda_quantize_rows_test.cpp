// Rows in e4m3 on the GPU: as near as e4m3 comes, by whoever writes them; and weights that become
// such on their way to the device.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include "cuda/fp8_scale.h"
#include "cuda/weight_table.h"
#include "fp8_matrix.h"

namespace longsight::test {
namespace {

using cuda::DType;

// Each element is as near to `exact` as e4m3 comes at its row's scale, when it is `slack` of itself
// off before: one that lies in the middle of two numbers may then go to the other, and is off by as
// much on either side.
void CheckNearest(const Fp8Matrix& matrix, const std::vector<double>& exact, double slack,
                  const std::string& what) {
  for (int64_t row = 0; row < matrix.rows; ++row) {
    const double scale = static_cast<double>(matrix.host_scales[row]);
    double most = 0;
    for (int64_t i = row * matrix.n; i < (row + 1) * matrix.n; ++i) {
      most = std::max(most, std::fabs(exact[i]));
    }
    const double wanted = most > 0 ? std::max(most / 448, static_cast<double>(FLT_MIN)) : 1;
    Check(std::fabs(scale - wanted) <= wanted * (slack + 1e-6), what + ": another scale");
    for (int64_t i = row * matrix.n; i < (row + 1) * matrix.n; ++i) {
      const double value = reference::E4M3Value(matrix.host_bits[i]) * scale;
      const double nearest = reference::E4M3Value(reference::NearestE4M3(exact[i] / scale)) * scale;
      const double allowed =
          std::fabs(nearest - exact[i]) + (2 * slack + 1e-6) * (std::fabs(exact[i]) + scale);
      if (!(std::fabs(value - exact[i]) <= allowed)) {
        return Fail(what + ": row " + std::to_string(row) + " is not nearest");
      }
    }
  }
}

void TestQuantizeRows(Random& random, int64_t rows, int64_t n, DType type) {
  const std::string what = "quantize rows " + std::to_string(rows) + " x " + std::to_string(n);
  // What f16 holds in full bits, and the whole range of the others.
  const int least = type == DType::kF16 ? -10 : -140, most = type == DType::kF16 ? 10 : 120;
  std::vector<float> values = Uneven(random, rows, n, least, most);
  std::fill(values.begin(), values.begin() + n, 0.0f);
  const Stored x = Store(values, CpuType(type));
  const Fp8Matrix matrix(x, type, rows, n);
  CheckNearest(matrix, {x.values.begin(), x.values.end()}, 0, what);
  const DeviceBytes back = EmptyOnDevice(DType::kBF16, rows * n);
  CheckCuda(cuda::DequantizeRows({matrix.bits.data(), matrix.scales_data(), back.data(), rows, n}),
            what);
  CheckClose(back.Floats(DType::kBF16, rows * n), {matrix.values.begin(), matrix.values.end()},
             1e-38, 1.0 / 256, what + ", and back");
}

void TestNotNumbers() {
  std::vector<float> values(3 * 64, 1.0f);
  values[5] = NAN;
  values[64 + 7] = INFINITY;
  const Fp8Matrix matrix(Store(values, cpu::DType::kF32), DType::kF32, 3, 64);
  for (int64_t i = 0; i < 3 * 64; ++i) {
    const bool number = i != 5 && i / 64 != 1;
    Check(std::isnan(matrix.values[i]) == !number, "NaN and infinity in rows of e4m3");
    if (number) Check(std::fabs(matrix.values[i] - 1) < 1e-6f, "a number beside NaN");
  }
}

// Weights brought over in parts are what the whole would be.
void TestTaking(Random& random) {
  const int64_t rows = 5001, n = 4096;  // 41 MB
  const Stored x = Store(Uneven(random, rows, n, -5, 5), cpu::DType::kBF16);
  const Fp8Matrix whole(x, DType::kBF16, rows, n);
  int64_t allocated = 0;
  const auto allocate = [&](int64_t bytes) {
    allocated += bytes;
    std::shared_ptr<std::byte> memory;
    CheckCuda(cuda::Allocate(0, bytes, &memory), "memory");
    return memory;
  };
  cuda::WeightTable table(allocate, nullptr);
  CheckCuda(table.TakeFp8(x.data(), DType::kBF16, rows, n), "taking weights in fp8");
  CheckCuda(table.TakeFp8(x.data(), DType::kBF16, rows, n), "taking them again");
  Check(allocated == cuda::Fp8Bytes(rows, n), "weights in fp8 take a byte each, and their scales");
  const cuda::WeightTable::Fp8* const taken = table.Fp8On(x.data());
  Check(taken != nullptr && table.Fp8On(&table) == nullptr, "weights in fp8 are found");
  std::vector<uint8_t> bits(whole.host_bits.size());
  std::vector<float> scales(static_cast<size_t>(rows));
  CheckCuda(cudaMemcpy(bits.data(), taken->matrix.get(), bits.size(), cudaMemcpyDeviceToHost), "");
  CheckCuda(cudaMemcpy(scales.data(), taken->scales.get(), scales.size() * sizeof(float),
                       cudaMemcpyDeviceToHost),
            "");
  Check(bits == whole.host_bits && scales == whole.host_scales, "weights taken in parts");
}

// What is written in bf16 is written in e4m3 as well.
void TestFused(Random& random, int64_t rows, int64_t n) {
  const std::string size = std::to_string(rows) + " x " + std::to_string(n);
  std::vector<double> expected(static_cast<size_t>(rows * n));
  {
    const Stored x = Store(Uneven(random, rows, n, -8, 8), cpu::DType::kF32);
    const std::vector<float> weight = random.Floats(n, 2.0f);
    reference::Normalize(x.values.data(), weight.data(), rows, n, 1e-5, expected.data());
    const DeviceBytes x_device = OnDevice(x), weight_device = OnDevice(weight),
                      y = EmptyOnDevice(DType::kBF16, rows * n);
    Fp8Matrix narrow(rows, n);
    cuda::RmsNormParams p{};
    p.x = x_device.data();
    p.x_type = DType::kF32;
    p.x_stride = p.y_stride = p.n = n;
    p.weight = static_cast<const float*>(weight_device.data());
    p.y = y.data();
    p.rows = rows;
    p.eps = 1e-5f;
    p.rounded = narrow.target();
    CheckCuda(cuda::RmsNorm(p), "rms norm");
    narrow.Read();
    CheckNearest(narrow, expected, 1e-5, "rms norm in e4m3, " + size);
    CheckClose(y.Floats(DType::kBF16, rows * n), expected, 1e-6, 1.0 / 256 + 1e-5, "rms norm");
  }
  const Stored gate = Store(random.Floats(rows * n, 20.0f), cpu::DType::kBF16);
  const Stored up = Store(Uneven(random, rows, n, -4, 4), cpu::DType::kBF16);
  reference::Gate(gate.values.data(), up.values.data(), rows * n, expected.data());
  const DeviceBytes gate_device = OnDevice(gate), up_device = OnDevice(up);
  Fp8Matrix narrow(rows, n);
  CheckCuda(cuda::SwiGlu({gate_device.data(), up_device.data(), n, n, gate_device.data(), n, rows,
                          n, narrow.target()}),
            "swiglu");
  narrow.Read();
  // Of the values in bf16.
  CheckNearest(narrow, expected, 1.0 / 256, "swiglu in e4m3, " + size);
  CheckClose(gate_device.Floats(DType::kBF16, rows * n), expected, 1e-9, 1.0 / 256 + 1e-5,
             "swiglu");
}

int Run() {
  if (!HasDevice()) return kNoDevice;
  Random random;
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    TestQuantizeRows(random, 37, 4096, type);
    TestQuantizeRows(random, 300, 96, type);
    TestQuantizeRows(random, 5, 77, type);
  }
  TestNotNumbers();
  TestTaking(random);
  TestFused(random, 40, 4096);
  TestFused(random, 9, 512);
  TestFused(random, 21, 100);
  return Result("cuda_quantize_rows_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

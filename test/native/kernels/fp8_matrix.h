// Matrices in e4m3 for the GPU tests.
#pragma once

#include <cmath>

#include "cuda/kernels.h"
#include "cuda_memory.h"

namespace longsight::test {

inline cpu::DType CpuType(cuda::DType type) {
  return type == cuda::DType::kF32
             ? cpu::DType::kF32
             : (type == cuda::DType::kF16 ? cpu::DType::kF16 : cpu::DType::kBF16);
}

// A matrix in e4m3 on the device, and its values.
struct Fp8Matrix {
  DeviceBytes bits, scales;
  int64_t rows, n;
  std::vector<uint8_t> host_bits;
  std::vector<float> host_scales, values;

  Fp8Matrix(int64_t row_count, int64_t row_size)
      : bits(static_cast<size_t>(row_count * row_size)),
        scales(static_cast<size_t>(row_count) * sizeof(float)),
        rows(row_count),
        n(row_size) {}
  // Of x[rows, n].
  Fp8Matrix(const Stored& x, cuda::DType type, int64_t row_count, int64_t row_size)
      : Fp8Matrix(row_count, row_size) {
    const DeviceBytes device = OnDevice(x);
    CheckCuda(cuda::QuantizeRows({device.data(), type, n, bits.data(), scales_data(), rows, n}),
              "quantize rows");
    Read();
  }
  float* scales_data() const { return static_cast<float*>(scales.data()); }
  cuda::InE4M3 target() const { return {bits.data(), scales_data()}; }

  void Read() {
    host_bits = bits.Bytes();
    host_scales = scales.Floats(cuda::DType::kF32, rows);
    values.resize(host_bits.size());
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(reference::E4M3Value(host_bits[i]) *
                                     static_cast<double>(host_scales[i / static_cast<size_t>(n)]));
    }
  }
};

// Rows of every size.
inline std::vector<float> Uneven(Random& random, int64_t rows, int64_t n, int least, int most) {
  std::vector<float> values = random.Floats(rows * n, 1.0f);
  for (int64_t row = 0; row < rows; ++row) {
    const int exponent = least + static_cast<int>(row % (most - least + 1));
    for (int64_t i = 0; i < n; ++i) {
      values[row * n + i] = std::ldexp(values[row * n + i], exponent);
    }
  }
  return values;
}

}  // namespace longsight::test

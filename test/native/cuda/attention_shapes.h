// Inputs of the prefill attention tests: strided bf16 tensors on the device beside the same values
// for the oracle.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "../kernels/check.h"
#include "device_array.h"

namespace longsight::test {

// bf16 [rows, heads, head_size], rows padded by 8 elements, and its values as floats without them.
struct Stored {
  int64_t rows, heads, head_size;
  int64_t row_stride;
  std::vector<float> values;
  DeviceArray<uint16_t> device;

  Stored(Random& random, int64_t rows_in, int64_t heads_in, int64_t size, float spread)
      : rows(rows_in),
        heads(heads_in),
        head_size(size),
        row_stride(heads_in * size + 8),
        values(random.Floats(rows_in * heads_in * size, spread)),
        device(Bits()) {}

 private:
  std::vector<uint16_t> Bits() {
    // NaN between the rows: nothing may read it.
    std::vector<uint16_t> bits(static_cast<size_t>(rows * row_stride), uint16_t{0xffff});
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < heads * head_size; ++i) {
        float& value = values[static_cast<size_t>(r * heads * head_size + i)];
        const uint16_t rounded = Bf16Bits(value);
        value = FromBf16(rounded);
        bits[static_cast<size_t>(r * row_stride + i)] = rounded;
      }
    }
    return bits;
  }
};

// What a strided bf16 result holds.
inline std::vector<float> Widened(const DeviceArray<uint16_t>& array, int64_t rows, int64_t row,
                                  int64_t row_stride) {
  const std::vector<uint16_t> bits = array.Download();
  std::vector<float> values;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < row; ++i) {
      values.push_back(FromBf16(bits[static_cast<size_t>(r * row_stride + i)]));
    }
  }
  return values;
}

// Weights and results are rounded to bf16, scores and sums are not.
inline constexpr double kOutAbsolute = 4e-3, kOutRelative = 8e-3;
inline constexpr double kLseAbsolute = 2e-4, kLseRelative = 1e-5;

// --quick, an argument of these tests: a few small shapes, for the sanitizer.
inline bool IsQuick(int count, char** arguments) {
  return count > 1 && std::string(arguments[1]) == "--quick";
}

// A test's exit status, once its outcome is told.
inline int Outcome() {
  std::printf("%s: %d failures\n", failures == 0 ? "passed" : "FAILED", failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace longsight::test

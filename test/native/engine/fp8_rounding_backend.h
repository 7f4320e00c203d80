// The CPU backend, rounding what the CUDA backend keeps in bf16, and in e4m3 when weights are fp8:
// how much rounding alone moves a model's logits.
#pragma once

#include <map>
#include <vector>

#include "reference/reference.h"
#include "rounding_backend.h"

namespace longsight::test {

class Fp8RoundingBackend final : public RoundingBackend {
 public:
  // Up to so many rows are multiplied as they are, more of them rounded like the weights.
  static constexpr int64_t kStreamedRows = 4;

  void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y, Accumulate mode) override {
    const int64_t in = linear.weight.shape[1];
    std::vector<float> rounded(static_cast<size_t>(rows * in));
    for (int64_t row = 0; row < rows; ++row) {
      const float* const values = static_cast<const float*>(x.From(row).data);
      std::copy(values, values + in, rounded.begin() + row * in);
    }
    if (rows > kStreamedRows) RoundRows(rounded, in);
    RoundingBackend::Multiply(Rounded(linear), {rounded.data(), DType::kF32, in}, rows, y, mode);
  }
  // The head's weights stay as they are.
  void Logits(const Linear& head, ConstRows x, int64_t rows, float* logits) override {
    inner().Logits(head, x, rows, logits);
  }

 private:
  static void RoundRows(std::vector<float>& x, int64_t n) {
    const auto rows = static_cast<int64_t>(x.size()) / n;
    const reference::RoundedRows rounded = reference::RoundRowsToE4M3(x.data(), rows, n);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(rounded.values[i] * rounded.scales[i / static_cast<size_t>(n)]);
    }
  }

  const Linear& Rounded(const Linear& linear) {
    auto [found, is_new] = rounded_.try_emplace(linear.weight.data);
    auto& [values, made] = found->second;
    if (is_new) {
      values.resize(static_cast<size_t>(linear.weight.size()));
      WidenToFloat(linear.weight.data, linear.weight.type, linear.weight.size(), values.data());
      RoundRows(values, linear.weight.shape[1]);
      made = linear;
      made.weight.data = values.data();
      made.weight.type = DType::kF32;
    }
    return made;
  }

  std::map<const void*, std::pair<std::vector<float>, Linear>> rounded_;
};

}  // namespace longsight::test

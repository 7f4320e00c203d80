// The CPU backend, rounding what the CUDA backend keeps in bf16: what is left between the two is
// the order of sums, and how much rounding alone moves a model's logits can be measured.
#pragma once

#include <bit>
#include <memory>
#include <string>
#include <vector>

#include "engine/forwarding_backend.h"

namespace longsight::test {

class RoundingBackend : public ForwardingBackend {
 public:
  RoundingBackend() : ForwardingBackend(MakeCpuBackend(2, true)) {}

  void RmsNorm(ConstRows x, const std::vector<float>& weight, double epsilon, int64_t rows,
               Rows y) override {
    inner().RmsNorm(x, weight, epsilon, rows, y);
    Round(y, rows, static_cast<int64_t>(weight.size()));
  }
  // What is added goes to the residual stream, which stays fp32.
  void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y, Accumulate mode) override {
    inner().Multiply(linear, x, rows, y, mode);
    if (mode == Accumulate::kOverwrite) Round(y, rows, linear.weight.shape[0]);
  }
  void Rotate(const RopeSpec& rope, Rows x, int64_t rows, int64_t heads, int64_t head_size,
              int64_t first_position) override {
    inner().Rotate(rope, x, rows, heads, head_size, first_position);
    Round(x, rows, heads * head_size);
  }
  void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) override {
    inner().SwiGlu(gate, up, rows, n);
    Round(gate, rows, n);
  }
  void Attend(const DecoderSpec& spec, const AttentionCall& call) override {
    inner().Attend(spec, call);
    Round(call.out, call.rows, spec.query_size());
  }
  void AttendSparse(const DecoderSpec& spec, const SparseCall& call) override {
    inner().AttendSparse(spec, call);
    Round(call.out, call.rows, spec.query_size());
  }

 private:
  // To nearest, ties to even; no NaN comes by here.
  static void Round(Rows y, int64_t rows, int64_t n) {
    for (int64_t row = 0; row < rows; ++row) {
      float* const values = static_cast<float*>(y.From(row).data);
      for (int64_t i = 0; i < n; ++i) {
        const auto bits = std::bit_cast<uint32_t>(values[i]);
        values[i] = std::bit_cast<float>((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u);
      }
    }
  }
};

}  // namespace longsight::test

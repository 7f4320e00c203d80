// The CPU backend, rounding what the CUDA backend keeps in bf16: what is left between the two is
// the order of sums, and how much rounding alone moves a model's logits can be measured.
#pragma once

#include <bit>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend.h"

namespace longsight::test {

class RoundingBackend final : public Backend {
 public:
  RoundingBackend() : inner_(MakeCpuBackend(2, true)) {}

  std::string device() const override { return inner_->device(); }
  std::string device_name() const override { return inner_->device_name(); }
  std::string instruction_set() const override { return inner_->instruction_set(); }
  int threads() const override { return inner_->threads(); }
  DType activation_type() const override { return inner_->activation_type(); }
  int64_t block_rows() const override { return inner_->block_rows(); }
  int64_t scratch_bytes() const override { return inner_->scratch_bytes(); }
  BackendMemory Allocate(int64_t bytes, const char* purpose) override {
    return inner_->Allocate(bytes, purpose);
  }
  int64_t available_bytes() const override { return inner_->available_bytes(); }
  int64_t device_bytes() const override { return inner_->device_bytes(); }
  int64_t TakeWeights(const Model& model) override { return inner_->TakeWeights(model); }
  void Embed(const Tensor& table, const uint32_t* ids, int64_t rows, Rows y) override {
    inner_->Embed(table, ids, rows, y);
  }
  void RmsNorm(ConstRows x, const std::vector<float>& weight, double epsilon, int64_t rows,
               Rows y) override {
    inner_->RmsNorm(x, weight, epsilon, rows, y);
    Round(y, rows, static_cast<int64_t>(weight.size()));
  }
  // What is added goes to the residual stream, which stays fp32.
  void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y, Accumulate mode) override {
    inner_->Multiply(linear, x, rows, y, mode);
    if (mode == Accumulate::kOverwrite) Round(y, rows, linear.weight.shape[0]);
  }
  void Rotate(const RopeSpec& rope, Rows x, int64_t rows, int64_t heads, int64_t head_size,
              int64_t first_position) override {
    inner_->Rotate(rope, x, rows, heads, head_size, first_position);
    Round(x, rows, heads * head_size);
  }
  void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) override {
    inner_->SwiGlu(gate, up, rows, n);
    Round(gate, rows, n);
  }
  void StoreKv(const KvLayout& layout, ConstRows x, int64_t rows, KvRows destination) override {
    inner_->StoreKv(layout, x, rows, destination);
  }
  void Attend(const DecoderSpec& spec, const AttentionCall& call) override {
    inner_->Attend(spec, call);
    Round(call.out, call.rows, spec.query_size());
  }
  void AttendSparse(const DecoderSpec& spec, const SparseCall& call,
                    PrefillReport& report) override {
    inner_->AttendSparse(spec, call, report);
    Round(call.out, call.rows, spec.query_size());
  }
  int64_t sparse_bytes(const DecoderSpec& spec, int64_t rows, int64_t tokens) const override {
    return inner_->sparse_bytes(spec, rows, tokens);
  }
  void ReserveSparse(const DecoderSpec& spec, int64_t rows, int64_t tokens) override {
    inner_->ReserveSparse(spec, rows, tokens);
  }
  void Logits(const Linear& head, ConstRows x, int64_t rows, float* logits) override {
    inner_->Logits(head, x, rows, logits);
  }
  void Upload(const float* x, int64_t n, Rows y) override { inner_->Upload(x, n, y); }
  void Wait() override { inner_->Wait(); }

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

  std::unique_ptr<Backend> inner_;
};

}  // namespace longsight::test

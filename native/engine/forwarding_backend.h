// A backend that lets another one do everything: the base of those that look on or step in at an
// operation.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend.h"

namespace longsight {

class ForwardingBackend : public Backend {
 public:
  explicit ForwardingBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  std::string device() const override { return inner_->device(); }
  std::string device_name() const override { return inner_->device_name(); }
  std::string instruction_set() const override { return inner_->instruction_set(); }
  int threads() const override { return inner_->threads(); }
  DType activation_type() const override { return inner_->activation_type(); }
  int64_t block_rows() const override { return inner_->block_rows(); }
  int64_t scratch_bytes(const DecoderSpec& spec, DType kv_type) const override {
    return inner_->scratch_bytes(spec, kv_type);
  }
  BackendMemory Allocate(int64_t bytes, const char* purpose) override {
    return inner_->Allocate(bytes, purpose);
  }
  int64_t available_bytes() const override { return inner_->available_bytes(); }
  int64_t device_bytes() const override { return inner_->device_bytes(); }
  int64_t TakeWeights(const Model& model) override { return inner_->TakeWeights(model); }
  int64_t sparse_bytes(const DecoderSpec& spec, int64_t rows, int64_t tokens) const override {
    return inner_->sparse_bytes(spec, rows, tokens);
  }
  void Embed(const Tensor& table, const uint32_t* ids, int64_t rows, Rows y) override {
    inner_->Embed(table, ids, rows, y);
  }
  void RmsNorm(ConstRows x, const std::vector<float>& weight, double epsilon, int64_t rows,
               Rows y) override {
    inner_->RmsNorm(x, weight, epsilon, rows, y);
  }
  void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y, Accumulate mode) override {
    inner_->Multiply(linear, x, rows, y, mode);
  }
  void Rotate(const RopeSpec& rope, Rows x, int64_t rows, int64_t heads, int64_t head_size,
              int64_t first_position) override {
    inner_->Rotate(rope, x, rows, heads, head_size, first_position);
  }
  void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) override {
    inner_->SwiGlu(gate, up, rows, n);
  }
  void StoreKv(const KvLayout& layout, ConstRows x, int64_t rows, KvRows destination) override {
    inner_->StoreKv(layout, x, rows, destination);
  }
  void Attend(const DecoderSpec& spec, const AttentionCall& call) override {
    inner_->Attend(spec, call);
  }
  void AttendSparse(const DecoderSpec& spec, const SparseCall& call) override {
    inner_->AttendSparse(spec, call);
  }
  void CompareHeads(ConstRows expected, ConstRows actual, int64_t rows, int64_t heads,
                    int64_t head_size, double* sums) override {
    inner_->CompareHeads(expected, actual, rows, heads, head_size, sums);
  }
  void ReserveSparse(const DecoderSpec& spec, int64_t rows, int64_t tokens) override {
    inner_->ReserveSparse(spec, rows, tokens);
  }
  bool AddMass(const DecoderSpec& spec, const MassCall& call) override {
    return inner_->AddMass(spec, call);
  }
  void Logits(const Linear& head, ConstRows x, int64_t rows, float* logits) override {
    inner_->Logits(head, x, rows, logits);
  }
  uint32_t Sample(const Linear& head, ConstRows x, const Draw& draw) override {
    return inner_->Sample(head, x, draw);
  }
  void Upload(const float* x, int64_t n, Rows y) override { inner_->Upload(x, n, y); }
  void Mark(Phase phase) override { inner_->Mark(phase); }
  bool Pace() override { return inner_->Pace(); }
  void Collect(PrefillReport& report) override { inner_->Collect(report); }
  void Wait() override { inner_->Wait(); }
  void CopyToHost(std::span<const Copy> copies) override { inner_->CopyToHost(copies); }
  void CopyToDevice(std::span<const Copy> copies) override { inner_->CopyToDevice(copies); }

 protected:
  Backend& inner() { return *inner_; }

 private:
  std::unique_ptr<Backend> inner_;
};

}  // namespace longsight

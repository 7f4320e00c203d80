// A backend whose queries and keys have structure planted in them, so that the attention of random
// weights looks like a trained model's: the first keys, the nearest ones, a few bands of slash
// offsets and loose keys that all rows see. What finds it is the running engine.
//
// Planted where the decoder turns queries and keys. A key is a phase e^(i w p) in each of some
// dozen frequencies w, p its position; a query is the sum of the phases of the keys at p - o, for
// the offsets o of its head, which is its own phase times a number that is the head's alone. Their
// product peaks at the offsets, as wide as the frequencies are slow.
#pragma once

#include <complex>
#include <memory>
#include <vector>

#include "bench/shape.h"
#include "engine/backend.h"

namespace longsight::bench {

class PlantedBackend final : public Backend {
 public:
  // Throws std::invalid_argument for a shape with as many KV heads as heads, whose queries and keys
  // cannot be told apart. `tokens`: offsets reach up to half of it.
  PlantedBackend(std::unique_ptr<Backend> inner, const Shape& shape, int64_t tokens);

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
  void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) override {
    inner_->SwiGlu(gate, up, rows, n);
  }
  void StoreKv(const KvLayout& layout, ConstRows x, int64_t rows, KvRows destination) override {
    inner_->StoreKv(layout, x, rows, destination);
  }
  void Attend(const DecoderSpec& spec, const AttentionCall& call) override {
    inner_->Attend(spec, call);
  }
  void AttendSparse(const DecoderSpec& spec, const SparseCall& call,
                    PrefillReport& report) override {
    inner_->AttendSparse(spec, call, report);
  }
  void ReserveSparse(const DecoderSpec& spec, int64_t rows, int64_t tokens) override {
    inner_->ReserveSparse(spec, rows, tokens);
  }
  void Logits(const Linear& head, ConstRows x, int64_t rows, float* logits) override {
    inner_->Logits(head, x, rows, logits);
  }
  void Upload(const float* x, int64_t n, Rows y) override { inner_->Upload(x, n, y); }
  void Wait() override { inner_->Wait(); }
  // Spent on planting, by the host, while the device waited.
  double planting_ms() const { return planting_ms_; }
  // Plants.
  void Rotate(const RopeSpec& rope, Rows x, int64_t rows, int64_t heads, int64_t head_size,
              int64_t first_position) override;

 private:
  void PlantKey(const std::vector<std::complex<float>>& phases, int64_t position, float* key) const;
  void PlantQuery(const std::vector<std::complex<float>>& phases, int64_t head, float* query) const;

  std::unique_ptr<Backend> inner_;
  int64_t kv_heads_, head_size_;
  std::vector<double> frequencies_;
  std::vector<std::vector<std::complex<float>>> of_head_;  // [heads][frequencies]

  // What was planted at `position` in `heads` heads, where the backend keeps its activations: every
  // layer of a chunk gets the same.
  struct Planted {
    int64_t position, rows, heads;
    BackendMemory memory;
  };
  const Planted& At(int64_t position, int64_t rows, int64_t heads);
  std::vector<Planted> planted_;
  double planting_ms_ = 0;
};

}  // namespace longsight::bench

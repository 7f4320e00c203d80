// The weights of a model on a GPU, and what products with them in fp8 need beside them.
#pragma once

#include <memory>

#include "cuda/fp8_linear.h"
#include "cuda/weight_table.h"
#include "engine/backend.h"
#include "engine/cuda_memory.h"
#include "engine/model.h"

namespace longsight {

class CudaWeights {
 public:
  // Products of up to `most_rows` rows. All that is given must outlive this.
  CudaWeights(WeightType type, CudaMemory& memory, cuda::BlasLt& blas, int64_t most_rows,
              cudaStream_t stream);

  // Linear layers as the type says, all else as the operations want it; the bytes of it. Waits.
  // Throws Error(kNotEnoughMemory).
  int64_t Take(const Model& model);
  // What products in fp8 take for themselves.
  int64_t scratch_bytes() const { return scratch_bytes_; }

  // Where the weights that the model has at `host` are on the device.
  const void* On(const void* host) const { return table_.On(host); }
  // As Backend's. Throws Error.
  void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y, Accumulate mode);
  // As MultiplyAll; false, and nothing is done, where the products gain nothing by one launch.
  bool MultiplyAtOnce(std::span<const Backend::Product> products, ConstRows x, int64_t rows);

  // Every operation that writes activations y[rows, n] says so before: what is held of them in fp8
  // is stale then.
  void Written(ConstRows y, int64_t rows, int64_t n) {
    if (fp8_ != nullptr) fp8_->Forget(y.data, ((rows - 1) * y.stride + n) * DTypeBytes(y.type));
  }
  // The same of what is going to be multiplied next: where its writer is to put it in fp8 as well.
  cuda::InE4M3 WrittenForProducts(ConstRows y, int64_t rows, int64_t n) {
    Written(y, rows, n);
    return fp8_ == nullptr ? cuda::InE4M3{} : fp8_->Expect(y.data, y.stride, rows, n);
  }

 private:
  cuda::MatmulParams Describe(const Linear& linear, ConstRows x, int64_t rows, Rows y,
                              Accumulate mode);

  WeightType type_;
  CudaMemory& memory_;
  cuda::BlasLt& blas_;
  int64_t most_rows_;
  cudaStream_t stream_;
  cuda::WeightTable table_;
  BackendMemory scratch_;
  int64_t scratch_bytes_ = 0;
  std::unique_ptr<cuda::Fp8Linear> fp8_;
};

}  // namespace longsight

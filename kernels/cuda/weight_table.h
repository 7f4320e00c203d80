// Weights on the device, found by the address of the host's copy.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "cuda/kernels.h"
#include "cuda/staging.h"

namespace longsight::cuda {

// `n` numbers of the host, rounded, to `bf16` on the device. Waits.
cudaError_t CopyRounded(const void* host, DType type, int64_t n, void* bf16, Staging& staging,
                        cudaStream_t stream);

class WeightTable {
 public:
  using Memory = std::shared_ptr<std::byte>;
  // Gives device memory that is kept; may throw.
  using Allocate = std::function<Memory(int64_t bytes)>;

  WeightTable(Allocate allocate, cudaStream_t stream)
      : allocate_(std::move(allocate)), stream_(stream) {}

  // As they are. What is there already is not taken twice, nor is nothing at all.
  cudaError_t Take(const void* host, int64_t bytes);
  // `n` numbers as bf16, whatever they are.
  cudaError_t TakeMatrix(const void* host, DType type, int64_t n);
  // matrix[rows, n] as e4m3 with a scale for each row, brought over in parts: the device never
  // holds more of the matrix as it was. Waits.
  cudaError_t TakeFp8(const void* host, DType type, int64_t rows, int64_t n);
  // `n` fp32 numbers, as they are and rounded.
  cudaError_t TakeBias(const float* host, int64_t n);

  struct Fp8 {
    Memory matrix, scales;
  };
  // Null when the matrix was not taken so.
  const Fp8* Fp8On(const void* host) const {
    const auto found = fp8_.find(host);
    return found == fp8_.end() ? nullptr : &found->second;
  }
  const void* On(const void* host) const { return kept_.at(host).get(); }
  const void* BiasOn(const float* host, DType type) const {
    return (type == DType::kF32 ? kept_ : rounded_).at(host).get();
  }

 private:
  // Of a matrix that becomes e4m3.
  static constexpr int64_t kPartBytes = int64_t{32} << 20;

  // Waits: the source may go.
  cudaError_t Round(const void* values, DType type, int64_t n, Memory& rounded);

  Allocate allocate_;
  cudaStream_t stream_;
  Staging staging_;
  std::unordered_map<const void*, Memory> kept_, rounded_;
  std::unordered_map<const void*, Fp8> fp8_;
};

}  // namespace longsight::cuda

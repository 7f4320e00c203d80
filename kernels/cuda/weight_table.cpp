#include "cuda/weight_table.h"

#include "cuda/fp8_scale.h"

namespace longsight::cuda {

cudaError_t CopyRounded(const void* host, DType type, int64_t n, void* bf16, Staging& staging,
                        cudaStream_t stream) {
  const int64_t bytes = n * (type == DType::kF32 ? 4 : 2);
  void* wide = nullptr;
  cudaError_t error = cudaMalloc(&wide, static_cast<size_t>(bytes));
  if (error != cudaSuccess) return error;
  error = staging.Copy(wide, host, bytes, stream);
  if (error == cudaSuccess) error = Convert({wide, type, bf16, DType::kBF16, n, stream});
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  cudaFree(wide);
  return error;
}

cudaError_t WeightTable::Take(const void* host, int64_t bytes) {
  if (bytes == 0 || kept_.contains(host)) return cudaSuccess;
  Memory memory = allocate_(bytes);
  const cudaError_t error = staging_.Copy(memory.get(), host, bytes, stream_);
  kept_.emplace(host, std::move(memory));
  return error;
}

cudaError_t WeightTable::TakeMatrix(const void* host, DType type, int64_t n) {
  if (type == DType::kBF16) return Take(host, n * 2);
  if (kept_.contains(host)) return cudaSuccess;
  Memory& memory = kept_[host];
  memory = allocate_(n * 2);
  return CopyRounded(host, type, n, memory.get(), staging_, stream_);
}

cudaError_t WeightTable::TakeFp8(const void* host, DType type, int64_t rows, int64_t n) {
  if (fp8_.contains(host)) return cudaSuccess;
  Fp8& taken = fp8_[host];
  taken.matrix = allocate_(rows * n);
  taken.scales = allocate_(rows * static_cast<int64_t>(sizeof(float)));
  auto* const scales = reinterpret_cast<float*>(taken.scales.get());
  const int64_t row_bytes = n * (type == DType::kF32 ? 4 : 2);
  const int64_t at_once = RowsAtOnce(rows, row_bytes, kPartBytes);
  void* part = nullptr;
  cudaError_t error = cudaMalloc(&part, static_cast<size_t>(at_once * row_bytes));
  if (error != cudaSuccess) return error;
  for (int64_t row = 0; row < rows && error == cudaSuccess; row += at_once) {
    const int64_t count = index::Least(at_once, rows - row);
    error = staging_.Copy(part, static_cast<const std::byte*>(host) + row * row_bytes,
                          count * row_bytes, stream_);
    if (error != cudaSuccess) break;
    error = QuantizeRows(
        {part, type, n, taken.matrix.get() + row * n, scales + row, count, n, stream_});
  }
  const cudaError_t waited = cudaStreamSynchronize(stream_);
  cudaFree(part);
  return error == cudaSuccess ? waited : error;
}

cudaError_t WeightTable::TakeBias(const float* host, int64_t n) {
  const cudaError_t error = Take(host, n * static_cast<int64_t>(sizeof(float)));
  if (error != cudaSuccess || n == 0) return error;
  return Round(On(host), DType::kF32, n, rounded_[host]);
}

cudaError_t WeightTable::Round(const void* values, DType type, int64_t n, Memory& rounded) {
  rounded = allocate_(n * 2);
  const cudaError_t error = Convert({values, type, rounded.get(), DType::kBF16, n, stream_});
  return error == cudaSuccess ? cudaStreamSynchronize(stream_) : error;
}

}  // namespace longsight::cuda

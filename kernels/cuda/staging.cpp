#include "cuda/staging.h"

#include <algorithm>
#include <cstring>

namespace longsight::cuda {

Staging::~Staging() {
  for (Buffer& buffer : buffers_) {
    if (buffer.copied != nullptr) {
      cudaEventSynchronize(buffer.copied);
      cudaEventDestroy(buffer.copied);
    }
    if (buffer.data != nullptr) cudaFreeHost(buffer.data);
  }
}

cudaError_t Staging::Prepare() {
  for (Buffer& buffer : buffers_) {
    cudaError_t error = cudaSuccess;
    if (buffer.data == nullptr)
      error = cudaMallocHost(&buffer.data, static_cast<size_t>(part_bytes_));
    if (error == cudaSuccess && buffer.copied == nullptr) {
      error = cudaEventCreateWithFlags(&buffer.copied, cudaEventDisableTiming);
    }
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t Staging::Copy(void* target, const void* source, int64_t bytes, cudaStream_t stream) {
  cudaError_t error = Prepare();
  for (int64_t at = 0; at < bytes && error == cudaSuccess; at += part_bytes_) {
    error =
        CopyPart(static_cast<std::byte*>(target) + at, static_cast<const std::byte*>(source) + at,
                 std::min(part_bytes_, bytes - at), stream);
  }
  return error;
}

cudaError_t Staging::CopyPart(void* target, const void* source, int64_t bytes,
                              cudaStream_t stream) {
  Buffer& buffer = buffers_[next_];
  next_ = 1 - next_;
  // The copy before last may still read the buffer.
  cudaError_t error = cudaEventSynchronize(buffer.copied);
  if (error != cudaSuccess) return error;
  std::memcpy(buffer.data, source, static_cast<size_t>(bytes));
  error = cudaMemcpyAsync(target, buffer.data, static_cast<size_t>(bytes), cudaMemcpyHostToDevice,
                          stream);
  return error == cudaSuccess ? cudaEventRecord(buffer.copied, stream) : error;
}

}  // namespace longsight::cuda

// Copies to the device through pinned memory: while the device copies one part by itself, the next
// is read from where it lies, such as a mapped file.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace longsight::cuda {

class Staging {
 public:
  static constexpr int64_t kPartBytes = int64_t{32} << 20;

  // `part_bytes`: of each of its two pinned buffers.
  explicit Staging(int64_t part_bytes = kPartBytes) : part_bytes_(part_bytes) {}
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // The source has been read when this returns; the device has it when the stream has.
  cudaError_t Copy(void* target, const void* source, int64_t bytes, cudaStream_t stream);

 private:
  struct Buffer {
    void* data = nullptr;
    cudaEvent_t copied = nullptr;
  };
  cudaError_t Prepare();
  cudaError_t CopyPart(void* target, const void* source, int64_t bytes, cudaStream_t stream);

  int64_t part_bytes_;
  Buffer buffers_[2];
  int next_ = 0;
};

}  // namespace longsight::cuda

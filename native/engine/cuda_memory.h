// The memory of one GPU, as the backend takes it: for others, and for itself.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "cuda/device.h"
#include "engine/cuda_convert.h"
#include "engine/error.h"

namespace longsight {

class CudaMemory {
 public:
  // Device number `device`, whose product is called `name`.
  CudaMemory(int device, std::string name) : device_(device), name_(std::move(name)) {}

  // The current device belongs to the thread, and calls come from several.
  void Use() const { Check(cudaSetDevice(device_), "being chosen"); }

  // Throws Error(kNotEnoughMemory) that names `purpose` and the sizes.
  BackendMemory Allocate(int64_t bytes, const char* purpose) const {
    Use();
    BackendMemory memory;
    const cudaError_t error = cuda::Allocate(device_, bytes, &memory);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      throw Error(ErrorCode::kNotEnoughMemory, name_ + " gave no " + std::to_string(bytes) +
                                                   " bytes of memory for " + purpose + "; " +
                                                   std::to_string(FreeBytes()) + " are free");
    }
    Check(error, "taking memory");
    return memory;
  }

  // The same for what the backend keeps for itself.
  BackendMemory Hold(int64_t bytes, const char* purpose) {
    BackendMemory memory = Allocate(bytes, purpose);
    held_bytes_ += bytes;
    return memory;
  }
  // Gives such memory back.
  void Drop(BackendMemory& memory, int64_t bytes) {
    if (memory != nullptr) held_bytes_ -= bytes;
    memory.reset();
  }

  int64_t held_bytes() const { return held_bytes_; }
  int64_t FreeBytes() const {
    Use();
    int64_t free = 0;
    Check(cuda::FreeBytes(&free), "saying what memory is free");
    return free;
  }

 private:
  int device_;
  std::string name_;
  int64_t held_bytes_ = 0;
};

}  // namespace longsight

// Devices, and what their errors mean.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace longsight::cuda {

struct DeviceInfo {
  std::string name;  // "NVIDIA H100 80GB HBM3"
  int major, minor;  // compute capability
  int multiprocessors;
  int64_t memory_bytes;
};

// Usable devices, 0 when there is no driver; *reason then says why.
int DeviceCount(std::string* reason);
cudaError_t GetDeviceInfo(int device, DeviceInfo* info);

// The oldest that the kernels are compiled for.
inline constexpr int kLeastMajor = 8;

// An empty string when `device` can run the kernels, and is then the current one; else what is
// missing.
std::string WhyUnusable(int device, DeviceInfo* info);

// Memory of a device; may be given back on any thread.
cudaError_t Allocate(int device, int64_t bytes, std::shared_ptr<std::byte>* memory);

// What the current device has left.
cudaError_t FreeBytes(int64_t* bytes);

// After such an error the process can use no CUDA any more.
bool IsSticky(cudaError_t error);
// "cudaErrorLaunchFailure: unspecified launch failure".
std::string Describe(cudaError_t error);

}  // namespace longsight::cuda

// Devices, and what their errors mean.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
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

// After such an error the process can use no CUDA any more.
bool IsSticky(cudaError_t error);
// "cudaErrorLaunchFailure: unspecified launch failure".
std::string Describe(cudaError_t error);

}  // namespace longsight::cuda

#include "cuda/device.h"

namespace longsight::cuda {

int DeviceCount(std::string* reason) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return count;
  *reason = error == cudaSuccess ? "the driver shows no device" : Describe(error);
  cudaGetLastError();  // so that no later launch reports it
  return 0;
}

cudaError_t GetDeviceInfo(int device, DeviceInfo* info) {
  cudaDeviceProp properties{};
  const cudaError_t error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess) return error;
  *info = {properties.name, properties.major, properties.minor, properties.multiProcessorCount,
           static_cast<int64_t>(properties.totalGlobalMem)};
  return cudaSuccess;
}

bool IsSticky(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
    case cudaErrorMemoryAllocation:
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidDevice:
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorNotReady:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorLaunchOutOfResources:
      return false;
    default:
      return true;
  }
}

std::string Describe(cudaError_t error) {
  return std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
}

}  // namespace longsight::cuda

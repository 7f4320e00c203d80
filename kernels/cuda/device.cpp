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

std::string WhyUnusable(int device, DeviceInfo* info) {
  std::string reason;
  const int count = DeviceCount(&reason);
  if (count == 0) return reason;
  if (device >= count) return "the driver shows " + std::to_string(count) + " device(s)";
  cudaError_t error = GetDeviceInfo(device, info);
  if (error == cudaSuccess) error = cudaSetDevice(device);
  if (error != cudaSuccess) return Describe(error);
  if (info->major >= kLeastMajor) return "";
  return info->name + " has compute capability " + std::to_string(info->major) + "." +
         std::to_string(info->minor) + ", and " + std::to_string(kLeastMajor) + ".0 is the least";
}

cudaError_t Allocate(int device, int64_t bytes, std::shared_ptr<std::byte>* memory) {
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, static_cast<size_t>(bytes > 0 ? bytes : 1));
  if (error != cudaSuccess) return error;
  *memory = {static_cast<std::byte*>(data), [device](std::byte* given) {
               cudaSetDevice(device);
               cudaFree(given);
             }};
  return cudaSuccess;
}

cudaError_t FreeBytes(int64_t* bytes) {
  size_t free = 0, total = 0;
  const cudaError_t error = cudaMemGetInfo(&free, &total);
  *bytes = static_cast<int64_t>(free);
  return error;
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

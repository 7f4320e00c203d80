// Device memory for the kernels' GPU tests, and what a program says where there is no GPU.
#pragma once

#include <cuda_runtime_api.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "cuda/device.h"
#include "cuda/kernels.h"
#include "stored.h"

namespace longsight::test {

// CTest's SKIP_RETURN_CODE of these programs.
inline constexpr int kNoDevice = 77;

// Whether there is a device to test on; says why not.
inline bool HasDevice() {
  std::string reason;
  if (cuda::DeviceCount(&reason) > 0) return true;
  std::printf("skipped: no device (%s)\n", reason.c_str());
  return false;
}

inline void CheckCuda(cudaError_t error, const std::string& what) {
  if (error == cudaSuccess) return;
  Fail(what + ": " + cuda::Describe(error));
  if (!cuda::IsSticky(error)) return;
  std::printf("the device cannot go on\n");
  std::exit(1);
}

// Bytes on the device. New ones hold 0xFF everywhere, which is NaN in every type: what is not
// written shows.
class DeviceBytes {
 public:
  explicit DeviceBytes(size_t bytes) : bytes_(bytes) {
    CheckCuda(cudaMalloc(&data_, bytes == 0 ? 1 : bytes), "cudaMalloc");
    CheckCuda(cudaMemset(data_, 0xFF, bytes), "cudaMemset");
    // Streams that do not wait for the default one would run beside this.
    CheckCuda(cudaDeviceSynchronize(), "cudaMemset");
  }
  DeviceBytes(const void* host, size_t bytes) : DeviceBytes(bytes) {
    CheckCuda(cudaMemcpy(data_, host, bytes, cudaMemcpyHostToDevice), "copy to the device");
  }
  ~DeviceBytes() { cudaFree(data_); }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;

  void* data() const { return data_; }

  // After all work of the device.
  std::vector<unsigned char> Bytes() const {
    CheckCuda(cudaDeviceSynchronize(), "the device's work");
    std::vector<unsigned char> raw(bytes_);
    CheckCuda(cudaMemcpy(raw.data(), data_, bytes_, cudaMemcpyDeviceToHost), "copy to the host");
    return raw;
  }

  // After all work of the device; `n` elements, widened to fp32.
  std::vector<float> Floats(cuda::DType type, int64_t n) const {
    const size_t width = type == cuda::DType::kF32 ? 4 : 2;
    const std::vector<unsigned char> raw = Bytes();
    std::vector<float> values(static_cast<size_t>(n));
    for (size_t i = 0; i < values.size(); ++i) {
      uint32_t bits = 0;
      std::memcpy(&bits, raw.data() + i * width, width);
      if (width == 2) bits <<= 16;
      std::memcpy(&values[i], &bits, sizeof bits);
    }
    return values;
  }

 private:
  size_t bytes_;
  void* data_ = nullptr;
};

inline DeviceBytes OnDevice(const std::vector<float>& values) {
  return DeviceBytes(values.data(), values.size() * sizeof(float));
}
inline DeviceBytes OnDevice(const Stored& stored) {
  return DeviceBytes(stored.data(), stored.bytes.size());
}
inline DeviceBytes EmptyOnDevice(cuda::DType type, int64_t n) {
  return DeviceBytes(static_cast<size_t>(n) * (type == cuda::DType::kF32 ? 4 : 2));
}

}  // namespace longsight::test

// Device memory, random bf16 inputs and timing for the CUDA benchmarks.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace longsight::bench {

inline void Cuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::printf("%s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(int64_t count) {
    Cuda(cudaMalloc(&data_, static_cast<size_t>(std::max<int64_t>(1, count)) * sizeof(T)),
         "cudaMalloc");
  }
  explicit DeviceArray(const std::vector<T>& values)
      : DeviceArray(static_cast<int64_t>(values.size())) {
    Cuda(cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
         "upload");
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { cudaFree(data_); }
  T* data() { return data_; }

 private:
  T* data_ = nullptr;
};

__device__ inline uint32_t Scrambled(uint64_t x) {
  x ^= x >> 31;
  x *= 0x7fb5d329728ea185ull;
  x ^= x >> 27;
  x *= 0x81dadef4bc2dd44dull;
  return static_cast<uint32_t>(x >> 32);
}

// Normal with variance 1.
__global__ void FillNormal(__nv_bfloat16* values, int64_t count, uint64_t seed) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride) {
    const auto at = static_cast<uint64_t>(i) * 2 + seed * 0x9e3779b97f4a7c15ull;
    const float u = (static_cast<float>(Scrambled(at)) + 1.0f) * 2.3283064e-10f;
    const float v = static_cast<float>(Scrambled(at + 1)) * 2.3283064e-10f;
    values[i] = __float2bfloat16(sqrtf(-2.0f * logf(u)) * cospif(2.0f * v));
  }
}
inline void Fill(__nv_bfloat16* values, int64_t count, uint64_t seed) {
  FillNormal<<<1024, 256>>>(values, count, seed);
  Cuda(cudaGetLastError(), "FillNormal");
}

// The median of several runs in milliseconds, after one that does not count; a single run is long
// enough to count at once.
template <class Work>
double MedianMs(int runs, Work work) {
  cudaEvent_t begin, end;
  Cuda(cudaEventCreate(&begin), "event");
  Cuda(cudaEventCreate(&end), "event");
  if (runs > 1) work();
  std::vector<float> times;
  for (int i = 0; i < runs; ++i) {
    Cuda(cudaEventRecord(begin), "event");
    work();
    Cuda(cudaEventRecord(end), "event");
    Cuda(cudaEventSynchronize(end), "a benchmark");
    float ms = 0;
    Cuda(cudaEventElapsedTime(&ms, begin, end), "event");
    times.push_back(ms);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace longsight::bench

// Operands on the device and timing for longsight-bench-cuda, which does without nvcc.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "cuda/device.h"
#include "cuda/kernels.h"

namespace longsight::bench {

inline void Require(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "longsight-bench-cuda: %s: %s\n", what, cuda::Describe(error).c_str());
  std::exit(1);
}

// Device memory of pseudo-random bits that are small numbers in bf16 and fp32 alike.
class Buffer {
 public:
  explicit Buffer(int64_t bytes) {
    Require(cudaMalloc(&data_, static_cast<size_t>(bytes)), "memory");
    std::vector<uint16_t> block(1 << 22);
    uint32_t state = 1;
    for (uint16_t& bits : block) {
      state = state * 1664525u + 1013904223u;
      // Exponents of 2^-7 to 1, any sign and mantissa.
      bits = static_cast<uint16_t>((state >> 16 & 0x807F) | ((120 + (state >> 8 & 7)) << 7));
    }
    const auto step = static_cast<int64_t>(block.size() * sizeof(uint16_t));
    for (int64_t at = 0; at < bytes; at += step) {
      Require(cudaMemcpy(static_cast<std::byte*>(data_) + at, block.data(),
                         static_cast<size_t>(std::min(step, bytes - at)), cudaMemcpyHostToDevice),
              "copy");
    }
  }
  ~Buffer() { cudaFree(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

// The median of some runs, in milliseconds.
inline double Time(const std::function<void()>& work) {
  cudaEvent_t begin, end;
  Require(cudaEventCreate(&begin), "event");
  Require(cudaEventCreate(&end), "event");
  for (int i = 0; i < 3; ++i) work();
  std::vector<float> times;
  for (int i = 0; i < 15; ++i) {
    Require(cudaEventRecord(begin), "event");
    work();
    Require(cudaEventRecord(end), "event");
    Require(cudaEventSynchronize(end), "the work");
    times.push_back(0);
    Require(cudaEventElapsedTime(&times.back(), begin, end), "event");
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::ranges::sort(times);
  return static_cast<double>(times[times.size() / 2]);
}

// A matrix in e4m3 with a scale for each row.
class Fp8Buffer {
 public:
  Fp8Buffer(int64_t rows, int64_t n) : bits_(rows * n), scales_(rows * 4) {
    const Buffer wide(rows * n * 2);
    Require(
        cuda::QuantizeRows({wide.data(), cuda::DType::kBF16, n, bits_.data(), scales(), rows, n}),
        "quantize");
    Require(cudaDeviceSynchronize(), "quantize");
  }
  void* bits() const { return bits_.data(); }
  float* scales() const { return static_cast<float*>(scales_.data()); }

 private:
  Buffer bits_, scales_;
};

}  // namespace longsight::bench

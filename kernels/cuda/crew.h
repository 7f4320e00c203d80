// A Crew is the threads that do something together: this one's number, how many there are, Meet, at
// which each waits for all, and Count, which adds 1 for one thread at a time. What is written for a
// Crew runs as the block of a kernel, and on the host as one thread or as some, to be tested there.
#pragma once

#include <cstdint>

#include "index/host_device.h"

namespace longsight::cuda {

struct OneThread {
  int thread = 0;
  int threads = 1;
  LONGSIGHT_HD void Meet() const {}
  LONGSIGHT_HD void Count(int32_t* number) const { ++*number; }
};

#if defined(__CUDACC__)
struct BlockThreads {
  int thread, threads;
  LONGSIGHT_HD void Meet() const {
#if defined(__CUDA_ARCH__)
    __syncthreads();
#endif
  }
  LONGSIGHT_HD void Count([[maybe_unused]] int32_t* number) const {
#if defined(__CUDA_ARCH__)
    atomicAdd(number, 1);
#endif
  }
};

// Of a block of kThreads by 1 by 1.
template <int kThreads>
__device__ inline BlockThreads ThisBlock() {
  return {static_cast<int>(threadIdx.x), kThreads};
}
#endif

}  // namespace longsight::cuda

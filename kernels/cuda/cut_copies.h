// Copies between host and device, cut into parts that fit a buffer. Needs no CUDA.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace longsight::cuda {

struct HostCopy {
  const void* from;
  void* to;
  int64_t bytes;
};

// Parts of at most `most` bytes that make up `copies`, in their order.
std::vector<HostCopy> CutCopies(std::span<const HostCopy> copies, int64_t most);

}  // namespace longsight::cuda

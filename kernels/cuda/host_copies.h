// Large copies between the device and host memory of any kind, beside whatever else the device
// does: lanes that each have a thread, a stream and two pinned buffers, so that while one buffer is
// copied by the device, the other is filled or emptied by the processor.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/cut_copies.h"

namespace longsight::cuda {

class HostCopies {
 public:
  enum class Direction { kToHost, kToDevice };

  explicit HostCopies(int device) : device_(device) {}
  ~HostCopies();
  HostCopies(const HostCopies&) = delete;
  HostCopies& operator=(const HostCopies&) = delete;

  // Returns when everything is there. One call at a time.
  cudaError_t Copy(Direction direction, std::span<const HostCopy> copies);

 private:
  // A core fills or empties memory at about a fifth of what the link gives.
  static constexpr int kLanes = 4;
  static constexpr int64_t kPartBytes = int64_t{16} << 20;

  struct Lane {
    cudaStream_t stream = nullptr;
    void* buffers[2] = {};
    cudaEvent_t done[2] = {};
  };
  cudaError_t Prepare();
  // Every kLanes-th of `parts` from number `first` on.
  cudaError_t Run(Lane& lane, Direction direction, const std::vector<HostCopy>& parts,
                  size_t first) const;
  static cudaError_t ToHost(Lane& lane, const std::vector<HostCopy>& parts, size_t first);
  static cudaError_t ToDevice(Lane& lane, const std::vector<HostCopy>& parts, size_t first);

  int device_;
  Lane lanes_[kLanes];
};

}  // namespace longsight::cuda

#include "cuda/host_copies.h"

#include <cstring>
#include <thread>

namespace longsight::cuda {

HostCopies::~HostCopies() {
  for (Lane& lane : lanes_) {
    if (lane.stream != nullptr) cudaStreamDestroy(lane.stream);
    for (const cudaEvent_t event : lane.done) {
      if (event != nullptr) cudaEventDestroy(event);
    }
    for (void* const buffer : lane.buffers) cudaFreeHost(buffer);
  }
}

cudaError_t HostCopies::Copy(Direction direction, std::span<const HostCopy> copies) {
  cudaError_t errors[kLanes] = {Prepare()};
  if (errors[0] != cudaSuccess) return errors[0];
  const std::vector<HostCopy> parts = CutCopies(copies, kPartBytes);
  std::vector<std::thread> threads;
  for (int i = 0; i < kLanes; ++i) {
    threads.emplace_back(
        [&, i] { errors[i] = Run(lanes_[i], direction, parts, static_cast<size_t>(i)); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const cudaError_t error : errors) {
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

// Kept from then on: pinning memory takes longer than copying it.
cudaError_t HostCopies::Prepare() {
  cudaError_t error = cudaSetDevice(device_);
  for (Lane& lane : lanes_) {
    if (error == cudaSuccess && lane.stream == nullptr) {
      error = cudaStreamCreateWithFlags(&lane.stream, cudaStreamNonBlocking);
    }
    for (int i = 0; i < 2; ++i) {
      if (error == cudaSuccess && lane.buffers[i] == nullptr) {
        error = cudaMallocHost(&lane.buffers[i], kPartBytes);
      }
      if (error == cudaSuccess && lane.done[i] == nullptr) {
        error =
            cudaEventCreateWithFlags(&lane.done[i], cudaEventDisableTiming | cudaEventBlockingSync);
      }
    }
  }
  return error;
}

cudaError_t HostCopies::Run(Lane& lane, Direction direction, const std::vector<HostCopy>& parts,
                            size_t first) const {
  cudaError_t error = cudaSetDevice(device_);
  if (error != cudaSuccess) return error;
  error =
      direction == Direction::kToHost ? ToHost(lane, parts, first) : ToDevice(lane, parts, first);
  // Also after a failure: nobody may touch the buffers and the memory before the device is done.
  const cudaError_t finished = cudaStreamSynchronize(lane.stream);
  return error == cudaSuccess ? finished : error;
}

// The device is one part ahead of the processor.
cudaError_t HostCopies::ToHost(Lane& lane, const std::vector<HostCopy>& parts, size_t first) {
  const HostCopy* before = nullptr;
  int buffer = 0;
  for (size_t i = first;; i += kLanes, buffer = 1 - buffer) {
    const HostCopy* const part = i < parts.size() ? &parts[i] : nullptr;
    cudaError_t error = cudaSuccess;
    if (part != nullptr) {
      error = cudaMemcpyAsync(lane.buffers[buffer], part->from, static_cast<size_t>(part->bytes),
                              cudaMemcpyDeviceToHost, lane.stream);
      if (error == cudaSuccess) error = cudaEventRecord(lane.done[buffer], lane.stream);
    }
    if (before != nullptr && error == cudaSuccess) {
      error = cudaEventSynchronize(lane.done[1 - buffer]);
      if (error == cudaSuccess) {
        std::memcpy(before->to, lane.buffers[1 - buffer], static_cast<size_t>(before->bytes));
      }
    }
    if (error != cudaSuccess || part == nullptr) return error;
    before = part;
  }
}

// The processor is one part ahead of the device.
cudaError_t HostCopies::ToDevice(Lane& lane, const std::vector<HostCopy>& parts, size_t first) {
  int buffer = 0;
  for (size_t i = first; i < parts.size(); i += kLanes, buffer = 1 - buffer) {
    const HostCopy& part = parts[i];
    // The copy before last may still read the buffer.
    cudaError_t error = cudaEventSynchronize(lane.done[buffer]);
    if (error != cudaSuccess) return error;
    std::memcpy(lane.buffers[buffer], part.from, static_cast<size_t>(part.bytes));
    error = cudaMemcpyAsync(part.to, lane.buffers[buffer], static_cast<size_t>(part.bytes),
                            cudaMemcpyHostToDevice, lane.stream);
    if (error == cudaSuccess) error = cudaEventRecord(lane.done[buffer], lane.stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace longsight::cuda

// How long the device's work took and what it left behind, read on the way without waiting for it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace longsight::cuda {

class Timeline {
 public:
  static constexpr int kPhases = 3;
  using Read = std::function<void(const std::byte* data)>;

  explicit Timeline(cudaStream_t stream) : stream_(stream) {}
  // Once the stream is idle.
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  // What is enqueued from here on is of `phase`, from 0 to kPhases - 1.
  cudaError_t Mark(int phase);
  // Copies `bytes` of device memory behind what is enqueued; `read` gets them once the next mark
  // has been passed. After a Mark.
  cudaError_t Fetch(const void* data, int64_t bytes, Read read);
  // Waits for what was enqueued before the last Pace, so that the device is never without work, and
  // looks how far it has come.
  cudaError_t Pace();
  // Waits for everything, and forgets nothing that has been fetched or timed.
  cudaError_t Finish();
  // Of a phase since the last time that it was asked for; of what the device was found to have
  // passed.
  double TakeMilliseconds(int phase);

 private:
  struct Pinned {
    std::byte* data = nullptr;
    int64_t bytes = 0;
  };
  struct Fetched {
    Pinned memory;
    Read read;
  };
  struct Passage {
    cudaEvent_t event;
    int phase;
    std::vector<Fetched> fetched;
  };
  cudaError_t Look();

  cudaStream_t stream_;
  std::deque<Passage> passages_;
  double milliseconds_[kPhases] = {};
  // Used in turns; the other one was recorded before.
  cudaEvent_t paces_[2] = {};
  int next_pace_ = 0;
  // Free to be used again.
  std::vector<cudaEvent_t> events_;
  std::vector<Pinned> pinned_;
};

}  // namespace longsight::cuda

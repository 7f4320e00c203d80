#include "cuda/timeline.h"

#include <utility>

namespace longsight::cuda {

Timeline::~Timeline() {
  for (Passage& passage : passages_) {
    cudaEventDestroy(passage.event);
    for (const Fetched& fetched : passage.fetched) cudaFreeHost(fetched.memory.data);
  }
  for (const cudaEvent_t event : events_) cudaEventDestroy(event);
  for (const cudaEvent_t event : paces_) {
    if (event != nullptr) cudaEventDestroy(event);
  }
  for (const Pinned& memory : pinned_) cudaFreeHost(memory.data);
}

cudaError_t Timeline::Mark(int phase) {
  cudaEvent_t event = nullptr;
  cudaError_t error = cudaSuccess;
  if (events_.empty()) {
    error = cudaEventCreate(&event);
    if (error != cudaSuccess) return error;
  } else {
    event = events_.back();
    events_.pop_back();
  }
  error = cudaEventRecord(event, stream_);
  if (error == cudaSuccess) {
    passages_.push_back({event, phase, {}});
  } else {
    events_.push_back(event);
  }
  return error;
}

cudaError_t Timeline::Fetch(const void* data, int64_t bytes, Read read) {
  if (passages_.empty()) return cudaErrorInvalidValue;
  Pinned memory;
  if (!pinned_.empty() && pinned_.back().bytes >= bytes) {
    memory = pinned_.back();
    pinned_.pop_back();
  } else {
    const cudaError_t error =
        cudaMallocHost(reinterpret_cast<void**>(&memory.data), static_cast<size_t>(bytes));
    if (error != cudaSuccess) return error;
    memory.bytes = bytes;
  }
  passages_.back().fetched.push_back({memory, std::move(read)});
  return cudaMemcpyAsync(memory.data, data, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost,
                         stream_);
}

cudaError_t Timeline::Pace() {
  cudaError_t error = cudaSuccess;
  for (cudaEvent_t& event : paces_) {
    // Waiting leaves the processor to others; what is enqueued meanwhile hides the wake-up.
    if (event == nullptr && error == cudaSuccess) {
      error = cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync);
    }
  }
  if (error == cudaSuccess) error = cudaEventRecord(paces_[next_pace_], stream_);
  next_pace_ = 1 - next_pace_;
  if (error == cudaSuccess) error = cudaEventSynchronize(paces_[next_pace_]);
  return error == cudaSuccess ? Look() : error;
}

cudaError_t Timeline::Finish() {
  cudaError_t error = passages_.empty() ? cudaSuccess : Mark(passages_.back().phase);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream_);
  return error == cudaSuccess ? Look() : error;
}

// Marks are passed in their order: one that has been passed ends the one before it.
cudaError_t Timeline::Look() {
  while (passages_.size() > 1) {
    const cudaEvent_t end = passages_[1].event;
    const cudaError_t state = cudaEventQuery(end);
    if (state == cudaErrorNotReady) {
      cudaGetLastError();  // so that no later launch reports it
      return cudaSuccess;
    }
    if (state != cudaSuccess) return state;
    Passage& passage = passages_.front();
    float milliseconds = 0;
    const cudaError_t error = cudaEventElapsedTime(&milliseconds, passage.event, end);
    if (error != cudaSuccess) return error;
    milliseconds_[passage.phase] += static_cast<double>(milliseconds);
    for (Fetched& fetched : passage.fetched) {
      fetched.read(fetched.memory.data);
      pinned_.push_back(fetched.memory);
    }
    events_.push_back(passage.event);
    passages_.pop_front();
  }
  return cudaSuccess;
}

double Timeline::TakeMilliseconds(int phase) { return std::exchange(milliseconds_[phase], 0.0); }

}  // namespace longsight::cuda

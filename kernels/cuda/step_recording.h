// A decode step's launches as a CUDA graph: recorded once, run again for the tokens that follow.
// The kernels read what differs between steps from device memory (`step` in kernels.h).
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>

namespace longsight::cuda {

class StepRecording {
 public:
  // A recording serves so many steps. Attention is split over the device for the last of them,
  // which hardly matters to the first, and no more splits than that are left unused.
  static constexpr int64_t kSteps = 256;

  StepRecording() = default;
  StepRecording(const StepRecording&) = delete;
  StepRecording& operator=(const StepRecording&) = delete;

  // Takes what it needs on the current device; Release gives it back, once the device is idle.
  cudaError_t Prepare();
  void Release();

  // Runs the step for `token` at `position` on `stream`: what was recorded, or else what `pass`
  // launches there while it is being recorded. Where that fails, `pass` runs once more as it is,
  // and its exception is passed on; where it then succeeds, the driver refuses such recordings
  // (some do, of launches that begin early), and no other is tried.
  cudaError_t Run(cudaStream_t stream, uint32_t token, int64_t position,
                  const std::function<void()>& pass);
  // The next step is recorded anew.
  void Forget() { recorded_at_ = -1; }

  bool recording() const { return recording_; }
  // In device memory while recording, else null: the step's number, counted from the recorded one,
  // and its token.
  const int64_t* step() const { return recording_ ? &on_device_->number : nullptr; }
  const uint32_t* token() const { return recording_ ? &on_device_->token : nullptr; }

 private:
  struct Step {
    int64_t number;
    uint32_t token;
  };

  bool RecordAndLaunch(cudaStream_t stream, const std::function<void()>& pass);
  cudaError_t Record(cudaStream_t stream, const std::function<void()>& pass);
  cudaError_t Make(cudaGraph_t graph);

  Step* on_host_ = nullptr;  // pinned
  Step* on_device_ = nullptr;
  cudaGraphExec_t graph_ = nullptr;
  int64_t recorded_at_ = -1;  // position of step 0; below 0: there is none
  bool recording_ = false;
  bool refused_ = false;
};

}  // namespace longsight::cuda

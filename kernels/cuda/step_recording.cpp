#include "cuda/step_recording.h"

namespace longsight::cuda {

cudaError_t StepRecording::Prepare() {
  cudaError_t error = cudaMallocHost(reinterpret_cast<void**>(&on_host_), sizeof(Step));
  if (error == cudaSuccess) {
    error = cudaMalloc(reinterpret_cast<void**>(&on_device_), sizeof(Step));
  }
  return error;
}

void StepRecording::Release() {
  if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
  cudaFree(on_device_);
  cudaFreeHost(on_host_);
  graph_ = nullptr;
  on_device_ = on_host_ = nullptr;
  Forget();
}

cudaError_t StepRecording::Run(cudaStream_t stream, uint32_t token, int64_t position,
                               const std::function<void()>& pass) {
  // The step before may still read it; its caller has waited for it but for an error on the way.
  cudaError_t error = cudaStreamSynchronize(stream);
  if (error != cudaSuccess) return error;
  const bool known =
      recorded_at_ >= 0 && position >= recorded_at_ && position < recorded_at_ + kSteps;
  *on_host_ = {known ? position - recorded_at_ : 0, token};
  if (known) return cudaGraphLaunch(graph_, stream);
  Forget();
  if (!refused_ && RecordAndLaunch(stream, pass)) {
    recorded_at_ = position;
    return cudaSuccess;
  }
  pass();
  refused_ = true;
  return cudaSuccess;
}

// What `pass` throws is left to the run that follows, where it is more than a refused recording.
bool StepRecording::RecordAndLaunch(cudaStream_t stream, const std::function<void()>& pass) {
  try {
    if (Record(stream, pass) == cudaSuccess && cudaGraphLaunch(graph_, stream) == cudaSuccess) {
      return true;
    }
  } catch (...) {
  }
  cudaGetLastError();  // so that no later launch reports it
  return false;
}

cudaError_t StepRecording::Record(cudaStream_t stream, const std::function<void()>& pass) {
  cudaError_t error = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  if (error != cudaSuccess) return error;
  cudaGraph_t graph = nullptr;
  recording_ = true;
  const auto end = [&] {
    recording_ = false;
    return cudaStreamEndCapture(stream, &graph);
  };
  try {
    error = cudaMemcpyAsync(on_device_, on_host_, sizeof(Step), cudaMemcpyHostToDevice, stream);
    if (error == cudaSuccess) pass();
  } catch (...) {
    end();
    if (graph != nullptr) cudaGraphDestroy(graph);
    throw;
  }
  const cudaError_t ended = end();
  if (error == cudaSuccess) error = ended;
  if (error == cudaSuccess) error = Make(graph);
  if (graph != nullptr) cudaGraphDestroy(graph);
  return error;
}

// Most recordings differ from the one before in no more than addresses and sizes, which is cheap to
// bring up to date.
cudaError_t StepRecording::Make(cudaGraph_t graph) {
  if (graph_ != nullptr) {
    cudaGraphExecUpdateResultInfo result{};
    if (cudaGraphExecUpdate(graph_, graph, &result) == cudaSuccess) return cudaSuccess;
    cudaGetLastError();  // so that no later launch reports it
    cudaGraphExecDestroy(graph_);
    graph_ = nullptr;
  }
  return cudaGraphInstantiate(&graph_, graph, 0);
}

}  // namespace longsight::cuda

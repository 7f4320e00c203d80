#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/step.cuh"

namespace longsight::cuda {
namespace {

constexpr int kThreads = 256;

template <class In, class Out>
__global__ void ConvertKernel(const In* x, Out* y, int64_t n, const int64_t* step) {
  WaitForPrevious();
  y += StepOf(step) * n;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < n;
       i += static_cast<int64_t>(gridDim.x) * kThreads) {
    y[i] = FromFloat<Out>(ToFloat(x[i]));
  }
}

template <class In, class Out>
cudaError_t Launch(const ConvertParams& p) {
  return LaunchEarly(ConvertKernel<In, Out>, Blocks(DivideUp(p.n, kThreads)), kThreads, 0, p.stream,
                     static_cast<const In*>(p.x), static_cast<Out*>(p.y), p.n, p.step);
}

template <class In>
cudaError_t Launch(const ConvertParams& p) {
  switch (p.y_type) {
    case DType::kF32:
      return Launch<In, float>(p);
    case DType::kBF16:
      return Launch<In, Bf16>(p);
    case DType::kF16:
      break;
  }
  return cudaErrorInvalidValue;
}

}  // namespace

cudaError_t Convert(const ConvertParams& p) {
  if (p.x_type == p.y_type && p.step == nullptr) {
    const int64_t bytes = p.n * (p.x_type == DType::kF32 ? 4 : 2);
    return cudaMemcpyAsync(p.y, p.x, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice,
                           p.stream);
  }
  switch (p.x_type) {
    case DType::kF32:
      return Launch<float>(p);
    case DType::kF16:
      return Launch<__half>(p);
    case DType::kBF16:
      return Launch<Bf16>(p);
  }
  return cudaErrorInvalidValue;
}

}  // namespace longsight::cuda

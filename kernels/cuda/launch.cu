#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

__global__ void ProbeKernel() {}

}  // namespace

// By the code that the driver has chosen for the device: a newer one may run what was made for an
// older one, in which WaitForPrevious does nothing.
bool HasEarlyLaunch() {
  static const bool has = [] {
    cudaFuncAttributes attributes{};
    return cudaFuncGetAttributes(&attributes, ProbeKernel) == cudaSuccess &&
           attributes.ptxVersion >= 90;
  }();
  return has;
}

}  // namespace longsight::cuda

// In place of cuda_backend.cpp in a build without CUDA.
#include "engine/backend.h"
#include "engine/error.h"

namespace longsight {

bool HasCudaBackend() { return false; }

std::unique_ptr<Backend> MakeCudaBackend(int device, WeightType /*weights*/) {
  throw Error(ErrorCode::kDeviceUnavailable,
              "device \"cuda:" + std::to_string(device) +
                  "\" is not compiled into this build: build with LONGSIGHT_CUDA=1 and nvcc");
}

}  // namespace longsight

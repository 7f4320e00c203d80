// Between the engine's types and those of kernels/cuda, and from CUDA's errors to the engine's.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "cuda/kernels.h"
#include "engine/backend.h"
#include "engine/decoder_spec.h"
#include "engine/dtype.h"
#include "engine/error.h"

namespace longsight {

inline cuda::DType KernelType(DType type) {
  switch (type) {
    case DType::kF32:
      return cuda::DType::kF32;
    case DType::kF16:
      return cuda::DType::kF16;
    case DType::kBF16:
      return cuda::DType::kBF16;
    case DType::kE4M3:
      return cuda::DType::kE4M3;
  }
  throw Error(ErrorCode::kInternal, "a tensor of unknown element type");
}

inline std::vector<cuda::CachedRun> KernelRuns(const DecoderSpec& spec,
                                               std::span<const KvRun> runs) {
  std::vector<cuda::CachedRun> result;
  for (const KvRun& run : runs) {
    result.push_back(
        {{run.keys, run.values, spec.kv_size(), spec.head_size, run.tokens, run.first_position},
         run.key_scales,
         run.value_scales});
  }
  return result;
}

inline void Check(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // so that the next launch does not report it again
  const std::string text =
      std::string("the GPU failed while ") + doing + ": " + cuda::Describe(error);
  if (error == cudaErrorMemoryAllocation) throw Error(ErrorCode::kNotEnoughMemory, text);
  throw Error(cuda::IsSticky(error) ? ErrorCode::kEngineDied : ErrorCode::kInternal, text);
}

inline void Check(const cuda::Launched& launched) {
  Check(static_cast<cudaError_t>(launched.error), launched.what);
}

}  // namespace longsight

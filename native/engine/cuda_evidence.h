// Where attention went, summed on the GPU: Backend::AddMass.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

#include "cuda/attention_mass.h"
#include "engine/backend.h"
#include "engine/cuda_memory.h"

namespace longsight {

class CudaEvidence {
 public:
  // Both must outlive it.
  CudaEvidence(CudaMemory& memory, cudaStream_t stream) : memory_(memory), stream_(stream) {}

  // Waits. Throws Error: kNotEnoughMemory, kEngineDied.
  void Add(const DecoderSpec& spec, const MassCall& call);

 private:
  CudaMemory& memory_;
  cudaStream_t stream_;
  // What the spans and runs of the last call were cut into, on the host and in storage_, behind
  // which come partial sums and the result.
  std::vector<int64_t> ends_, run_ends_;
  cuda::MassPieces pieces_;
  BackendMemory storage_;
  int64_t bytes_ = 0;
};

}  // namespace longsight

// The prefill attention kernel for sm_90a: one warpgroup loads, two compute, for sparse a fourth
// lists what to load, and every CTA takes tasks until none is left.
#pragma once

#include "attention_compute.cuh"
#include "attention_gather.cuh"
#include "attention_load.cuh"
#include "attention_stream.cuh"

namespace longsight::cuda {

template <class C>
__global__ void __launch_bounds__(C::kThreads, 1)
    PrefillKernel(const __grid_constant__ PrefillArguments p) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ unsigned char memory[];
  const Pipeline<C> pipe(memory);
  if (threadIdx.x == 0) {
    pipe.Init();
    PrefetchMap(&p.q_map);
    PrefetchMap(&p.k_map);
    PrefetchMap(&p.v_map);
  }
  __syncthreads();
  if (threadIdx.x < 128) {
    GiveRegisters<C::kLoadRegisters>();
    if constexpr (C::kSparse) {
      Gatherer<C>(pipe, p).Run();
    } else {
      if (threadIdx.x == 0) LoadDense(pipe, p);
    }
  } else if (C::kSparse && threadIdx.x >= 128 * (1 + C::kComputeGroups)) {
    GiveRegisters<C::kListRegisters>();
    if (threadIdx.x % 128 < 32) TileLister<C>(pipe, p).Run();
  } else {
    TakeRegisters<C::kComputeRegisters>();
    ComputeGroup<C>(pipe, p).Run();
  }
#endif
}

}  // namespace longsight::cuda

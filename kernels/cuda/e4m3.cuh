// Writing rows in e4m3.
#pragma once

#include "cuda/bf16.cuh"
#include "cuda/fp8_scale.h"

namespace longsight::cuda {

static __device__ __forceinline__ float WarpMost(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, distance));
  }
  return x;
}

// The largest of a block of `Warps` warps, in every thread.
template <int Warps>
static __device__ __forceinline__ float BlockMost(float x) {
  static_assert(Warps <= 32);
  __shared__ float parts[Warps];
  x = WarpMost(x);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  __syncthreads();
  x = WarpMost(parts[threadIdx.x % 32 % Warps]);
  __syncthreads();  // until all have read, for the next call
  return x;
}

// What is too large is cut off.
static __device__ __forceinline__ uint8_t ToE4M3(float x) {
  return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3);
}
// Eight consecutive elements times `factor`, aligned to 8 bytes.
static __device__ __forceinline__ void Store8E4M3(uint8_t* target, const float (&x)[8],
                                                  float factor) {
  uint32_t words[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float* v = x + 4 * i;
    const float2 low = make_float2(v[0] * factor, v[1] * factor);
    const float2 high = make_float2(v[2] * factor, v[3] * factor);
    words[i] = __nv_cvt_float2_to_fp8x2(low, __NV_SATFINITE, __NV_E4M3) |
               static_cast<uint32_t>(__nv_cvt_float2_to_fp8x2(high, __NV_SATFINITE, __NV_E4M3))
                   << 16;
  }
  *reinterpret_cast<uint2*>(target) = make_uint2(words[0], words[1]);
}

}  // namespace longsight::cuda

// Rows in e4m3, written and read.
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

// The low or the high two e4m3 numbers of a word, as f16.
static __device__ __forceinline__ uint32_t WidenPair(uint32_t word, int high) {
#if __CUDA_ARCH__ >= 890
  const auto pair = static_cast<__nv_fp8x2_storage_t>(word >> 16 * high);
  const __half2_raw wide = __nv_cvt_fp8x2_to_halfraw2(pair, __NV_E4M3);
  return static_cast<uint32_t>(wide.x) | static_cast<uint32_t>(wide.y) << 16;
#else
  const uint32_t shrunk = ShrunkF16Pair(word >> 16 * high);
  const __half2 wide = *reinterpret_cast<const __half2*>(&shrunk) * __half2half2(__half(256.0f));
  return *reinterpret_cast<const uint32_t*>(&wide);
#endif
}

}  // namespace longsight::cuda

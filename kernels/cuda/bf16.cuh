// Reading and writing of bf16 and its like, one element or one 16-byte vector at a time.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

namespace longsight::cuda {

using Bf16 = __nv_bfloat16;

static __device__ __forceinline__ float ToFloat(float x) { return x; }
static __device__ __forceinline__ float ToFloat(Bf16 x) { return __bfloat162float(x); }
static __device__ __forceinline__ float ToFloat(__half x) { return __half2float(x); }

template <class T>
static __device__ __forceinline__ T FromFloat(float x);
template <>
__device__ __forceinline__ float FromFloat<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ Bf16 FromFloat<Bf16>(float x) {
  return __float2bfloat16_rn(x);
}

static __device__ __forceinline__ uint32_t PackBf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// Eight consecutive elements, aligned to 16 bytes.
static __device__ __forceinline__ void Load8(const Bf16* source, float (&x)[8]) {
  const uint4 bits = *reinterpret_cast<const uint4*>(source);
  const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    x[2 * i] = __uint_as_float(words[i] << 16);
    x[2 * i + 1] = __uint_as_float(words[i] & 0xFFFF0000u);
  }
}
static __device__ __forceinline__ void Load8(const float* source, float (&x)[8]) {
  const float4 a = *reinterpret_cast<const float4*>(source);
  const float4 b = *reinterpret_cast<const float4*>(source + 4);
  x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w;
  x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
}
static __device__ __forceinline__ void Store8(Bf16* target, const float (&x)[8]) {
  *reinterpret_cast<uint4*>(target) = make_uint4(PackBf16(x[0], x[1]), PackBf16(x[2], x[3]),
                                                 PackBf16(x[4], x[5]), PackBf16(x[6], x[7]));
}
static __device__ __forceinline__ void Store8(float* target, const float (&x)[8]) {
  *reinterpret_cast<float4*>(target) = make_float4(x[0], x[1], x[2], x[3]);
  *reinterpret_cast<float4*>(target + 4) = make_float4(x[4], x[5], x[6], x[7]);
}

// Four e4m3 numbers in a word.
static __device__ __forceinline__ void UnpackE4M3(uint32_t word, float* x) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const auto pair = static_cast<__nv_fp8x2_storage_t>(word >> 16 * half);
    const float2 two = __half22float2(__half2(__nv_cvt_fp8x2_to_halfraw2(pair, __NV_E4M3)));
    x[2 * half] = two.x;
    x[2 * half + 1] = two.y;
  }
}

static __device__ __forceinline__ float WarpSum(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    x += __shfl_xor_sync(0xFFFFFFFFu, x, distance);
  }
  return x;
}

}  // namespace longsight::cuda

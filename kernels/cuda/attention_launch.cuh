// From the callers' parameters to a kernel's, and the launch of one configuration.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "attention_prefill_ampere.cuh"
#include "attention_prefill_hopper.cuh"
#include "tensor_map.h"

namespace longsight::cuda {

static inline Launched Refused(const char* what) { return {cudaErrorInvalidValue, what}; }

// What both kinds of prefill check and pass on. P: PrefillParams or SparsePrefillParams.
template <class P>
const char* WhyRefused(const P& p) {
  const auto aligned = [](const void* pointer) {
    return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
  };
  if (p.head_size != 64 && p.head_size != 96 && p.head_size != 128) {
    return "attention: head sizes are 64, 96 and 128";
  }
  if (p.kv_heads < 1 || p.heads % p.kv_heads != 0) {
    return "attention: query heads must be a multiple of KV heads";
  }
  if (!aligned(p.q) || !aligned(p.out) || !aligned(p.kv.k) || !aligned(p.kv.v)) {
    return "attention: pointers must be multiples of 16 bytes";
  }
  const int64_t strides[] = {p.q_row_stride,    p.q_head_stride, p.out_row_stride,
                             p.out_head_stride, p.kv.row_stride, p.kv.head_stride};
  for (const int64_t stride : strides) {
    if (stride <= 0 || stride % 8 != 0 || stride >= 1 << 30) {
      return "attention: strides must be multiples of 8 elements below 2^30";
    }
  }
  // Tile numbers and positions in the kernels are 32-bit, with room for a tile.
  constexpr int64_t kMost = INT32_MAX - 4096;
  if (p.kv.tokens > kMost || p.first_position + p.rows > kMost ||
      DivideUp(p.rows, kBlockRows) * p.heads > kMost) {
    return "attention: at most 2^31 positions, and tasks";
  }
  return nullptr;
}

template <class P>
PrefillArguments ArgumentsOf(const P& p) {
  PrefillArguments a{};
  a.q = static_cast<const __nv_bfloat16*>(p.q);
  a.q_row_stride = p.q_row_stride;
  a.q_head_stride = p.q_head_stride;
  a.k = static_cast<const __nv_bfloat16*>(p.kv.k);
  a.v = static_cast<const __nv_bfloat16*>(p.kv.v);
  a.kv_row_stride = p.kv.row_stride;
  a.kv_head_stride = p.kv.head_stride;
  a.first_row = p.first_position - p.kv.first_position;
  a.run_first = p.kv.first_position;
  a.rows = static_cast<int32_t>(p.rows);
  a.heads = static_cast<int32_t>(p.heads);
  a.group = static_cast<int32_t>(p.heads / p.kv_heads);
  a.tokens = static_cast<int32_t>(p.kv.tokens);
  a.row_blocks = static_cast<int32_t>(DivideUp(p.rows, kBlockRows));
  a.scale = p.scale;
  a.scale2 = p.scale * 1.44269504088896341f;
  a.out = static_cast<__nv_bfloat16*>(p.out);
  a.out_row_stride = p.out_row_stride;
  a.out_head_stride = p.out_head_stride;
  a.lse = p.lse;
  a.merge = p.merge;
  a.next_task = p.next_task;
  return a;
}

struct Device {
  int multiprocessors;
  int major;
};
static inline cudaError_t CurrentDevice(Device* device) {
  int id = 0;
  cudaError_t error = cudaGetDevice(&id);
  if (error != cudaSuccess) return error;
  error = cudaDeviceGetAttribute(&device->multiprocessors, cudaDevAttrMultiProcessorCount, id);
  if (error != cudaSuccess) return error;
  return cudaDeviceGetAttribute(&device->major, cudaDevAttrComputeCapabilityMajor, id);
}

// `a` is complete but for its tensor maps.
template <class C, class P>
Launched LaunchHopper(const P& p, PrefillArguments& a, const Device& device) {
  const uint32_t box = C::kSparse ? C::kKeys / 2 : C::kKeys;
  if (!MakeTensorMap(&a.q_map, p.q, p.rows, p.heads, p.head_size, p.q_row_stride, p.q_head_stride,
                     kBlockRows) ||
      !MakeTensorMap(&a.k_map, p.kv.k, p.kv.tokens, p.kv_heads, p.head_size, p.kv.row_stride,
                     p.kv.head_stride, box) ||
      !MakeTensorMap(&a.v_map, p.kv.v, p.kv.tokens, p.kv_heads, p.head_size, p.kv.row_stride,
                     p.kv.head_stride, box)) {
    return Refused("attention: the driver refused a tensor map");
  }
  const auto kernel = PrefillKernel<C>;
  cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, C::kPlan.bytes);
  if (error == cudaSuccess) error = cudaMemsetAsync(p.next_task, 0, sizeof(int32_t), p.stream);
  if (error != cudaSuccess) return {error, "attention: preparing the launch"};
  const int64_t tasks = static_cast<int64_t>(a.row_blocks) * a.heads;
  const auto blocks = static_cast<unsigned>(Least(tasks, device.multiprocessors));
  kernel<<<blocks, C::kThreads, C::kPlan.bytes, p.stream>>>(a);
  error = cudaGetLastError();
  return {error, error == cudaSuccess ? "" : "attention: the launch"};
}

template <int kHeadSize, bool kSparse>
Launched LaunchAmpere(const PrefillArguments& a, CUstream_st* stream) {
  constexpr int kBytes = AmpereShape<kHeadSize>::kBytes;
  const auto kernel = AmpereKernel<kHeadSize, kSparse>;
  cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
  if (error == cudaSuccess) {
    kernel<<<static_cast<unsigned>(a.row_blocks * a.heads), AmpereShape<kHeadSize>::kThreads,
             kBytes, stream>>>(a);
    error = cudaGetLastError();
  }
  return {error, error == cudaSuccess ? "" : "attention: the launch"};
}

// The kernel for this GPU. C: its Hopper configuration.
template <class C, class P>
Launched Launch(const P& p, PrefillArguments& a, const Device& device) {
#if !defined(LONGSIGHT_NO_HOPPER)
  if (device.major == 9) return LaunchHopper<C>(p, a, device);
#endif
  if (device.major < 8) return Refused("attention: GPUs from compute capability 8.0 on");
  return LaunchAmpere<C::kHeadSize, C::kSparse>(a, p.stream);
}

}  // namespace longsight::cuda

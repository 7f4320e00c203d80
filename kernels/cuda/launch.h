// What every launch needs: sizes, whether 16-byte vectors fit, and a start before its turn.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace longsight::cuda {

inline int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Elements of `bytes` each, `n` to a row, can be moved eight at a time.
inline bool IsVector(const void* data, int64_t stride, int64_t n, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && stride * bytes % 16 == 0 && n % 8 == 0;
}

// Grid-stride kernels need no more blocks than this.
inline unsigned Blocks(int64_t wanted) {
  constexpr int64_t kMost = 1 << 20;
  return static_cast<unsigned>(wanted < 1 ? 1 : wanted < kMost ? wanted : kMost);
}

// Whether the device can start a kernel before its turn, by the one that is current when it is
// first asked.
bool HasEarlyLaunch();

// Kernels of a decode step are so short that the gaps between them count. One that LaunchEarly
// launches may begin while the kernel before it on the stream ends (from sm_90 on: "programmatic
// dependent launch"). Every block of it must begin with WaitForPrevious, before which it may touch
// only what neither that kernel nor a later one writes.
#if defined(__CUDACC__)
static __device__ __forceinline__ void WaitForPrevious() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
  // The next kernel may begin as soon as every block of this one has come here: what came before
  // this kernel is over by then.
  asm volatile("griddepcontrol.launch_dependents;\n" :::);
#endif
}

template <class... Parameters, class... Arguments>
cudaError_t LaunchEarly(void (*kernel)(Parameters...), unsigned blocks, unsigned threads,
                        size_t shared_bytes, cudaStream_t stream, const Arguments&... arguments) {
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = HasEarlyLaunch() ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}
#endif

}  // namespace longsight::cuda

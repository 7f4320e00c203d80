// What every launch needs: sizes, and whether 16-byte vectors fit.
#pragma once

#include <cuda_runtime_api.h>

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

}  // namespace longsight::cuda

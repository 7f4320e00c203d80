// Functions that the host's compiler and nvcc both take. Internal linkage on purpose: the CPU
// backend compiles these headers once per instruction set (see cpu/tiling.h), and types are plain
// structs without members for the same reason.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define LONGSIGHT_HD __host__ __device__
#else
#define LONGSIGHT_HD
#endif

namespace longsight::index {

static LONGSIGHT_HD inline int64_t Least(int64_t a, int64_t b) { return a < b ? a : b; }
static LONGSIGHT_HD inline int64_t Most(int64_t a, int64_t b) { return a > b ? a : b; }
static LONGSIGHT_HD inline int64_t Within(int64_t v, int64_t low, int64_t high) {
  return Most(low, Least(v, high));
}
static LONGSIGHT_HD inline int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace longsight::index

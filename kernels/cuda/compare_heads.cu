// CompareHeads: a warp sums a part of a head's rows, and a second kernel the parts, in their order.
// How rows are parted does not depend on the device: the sums are the same on all.
#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

constexpr int kWarps = 8, kThreads = 32 * kWarps;
// Rows of a part, where that makes no more than kCompareParts of them.
constexpr int64_t kPartRows = 128;
// Loads of a lane that are under way together.
constexpr int kAtOnce = 4;

struct Squares {
  double expected, missed;
};

__device__ Squares WarpSum(Squares sums) {
#pragma unroll
  for (int other = 16; other > 0; other /= 2) {
    sums.expected += __shfl_xor_sync(0xffffffffu, sums.expected, other);
    sums.missed += __shfl_xor_sync(0xffffffffu, sums.missed, other);
  }
  return sums;
}

// A block to a part of the rows and kWarps neighbouring heads.
__global__ void __launch_bounds__(kThreads)
    PartKernel(const __grid_constant__ CompareHeadsParams p, int64_t part_rows, Squares* partial) {
  const int lane = threadIdx.x % 32;
  const int64_t head = static_cast<int64_t>(blockIdx.y) * kWarps + threadIdx.x / 32;
  if (head >= p.heads) return;
  const int64_t begin = blockIdx.x * part_rows;
  const auto eighths = static_cast<int32_t>(p.head_size / 8);
  // Of eight elements each.
  const auto count = static_cast<int32_t>(min(part_rows, p.rows - begin)) * eighths;
  const Bf16* const expected = static_cast<const Bf16*>(p.expected) + head * p.head_size;
  const Bf16* const actual = static_cast<const Bf16*>(p.actual) + head * p.head_size;
  Squares sums = {0, 0};
  for (int32_t first = lane; first < count; first += 32 * kAtOnce) {
    float e[kAtOnce][8], a[kAtOnce][8];
#pragma unroll
    for (int n = 0; n < kAtOnce; ++n) {
      const int32_t i = first + 32 * n;
      if (i < count) {
        const int64_t row = begin + i / eighths, at = i % eighths * 8;
        Load8(expected + row * p.expected_stride + at, e[n]);
        Load8(actual + row * p.actual_stride + at, a[n]);
      } else {
#pragma unroll
        for (int j = 0; j < 8; ++j) e[n][j] = a[n][j] = 0;
      }
    }
#pragma unroll
    for (int n = 0; n < kAtOnce; ++n) {
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        const auto whole = static_cast<double>(e[n][j]);
        const double missed = static_cast<double>(a[n][j]) - whole;
        sums.expected += whole * whole;
        sums.missed += missed * missed;
      }
    }
  }
  sums = WarpSum(sums);
  if (lane == 0) partial[head * gridDim.x + blockIdx.x] = sums;
}

// A warp to a head.
__global__ void SumKernel(const Squares* partial, int32_t parts, double* sums) {
  const int64_t head = blockIdx.x;
  Squares sum = {0, 0};
  for (int32_t part = static_cast<int32_t>(threadIdx.x); part < parts; part += 32) {
    const Squares& of_part = partial[head * parts + part];
    sum.expected += of_part.expected;
    sum.missed += of_part.missed;
  }
  sum = WarpSum(sum);
  if (threadIdx.x != 0) return;
  sums[2 * head] = sum.expected;
  sums[2 * head + 1] = sum.missed;
}

}  // namespace

cudaError_t CompareHeads(const CompareHeadsParams& p) {
  if (p.rows < 1 || p.rows > INT32_MAX || p.heads < 1 || p.heads > kCompareHeads ||
      p.head_size < 8 || p.head_size > kMaxHeadSize ||
      !IsVector(p.expected, p.expected_stride, p.head_size, sizeof(Bf16)) ||
      !IsVector(p.actual, p.actual_stride, p.head_size, sizeof(Bf16))) {
    return cudaErrorInvalidValue;
  }
  const int64_t wanted = DivideUp(p.rows, kPartRows);
  const int64_t part_rows = DivideUp(p.rows, wanted < kCompareParts ? wanted : kCompareParts);
  const auto parts = static_cast<unsigned>(DivideUp(p.rows, part_rows));
  auto* const partial = static_cast<Squares*>(p.workspace);
  PartKernel<<<dim3(parts, static_cast<unsigned>(DivideUp(p.heads, kWarps))), kThreads, 0,
               p.stream>>>(p, part_rows, partial);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) return error;
  SumKernel<<<static_cast<unsigned>(p.heads), 32, 0, p.stream>>>(
      partial, static_cast<int32_t>(parts), p.sums);
  return cudaGetLastError();
}

}  // namespace longsight::cuda

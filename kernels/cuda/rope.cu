// Rope: the angles of a row once, in shared memory, then all its heads.
#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/step.cuh"

namespace longsight::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxPairs = 256;

// cos and sin of position * frequency. The product needs more than fp32's 24 bits from position
// 65,536 on; what is left of it after whole turns does not.
__device__ float2 CosSin(int64_t position, double frequency) {
  constexpr double kTurnsPerRadian = 0.15915494309189535;  // 1 / (2 pi)
  const double turns = static_cast<double>(position) * frequency * kTurnsPerRadian;
  float2 result;
  sincospif(static_cast<float>(2 * (turns - rint(turns))), &result.y, &result.x);
  return result;
}

// Two neighbouring elements at once.
__device__ float2 LoadPair(const Bf16* x) {
  const uint32_t bits = *reinterpret_cast<const uint32_t*>(x);
  return make_float2(__uint_as_float(bits << 16), __uint_as_float(bits & 0xFFFF0000u));
}
__device__ void StorePair(Bf16* x, float a, float b) {
  *reinterpret_cast<uint32_t*>(x) = PackBf16(a, b);
}

// Interleaved pairs are neighbours; the others lie `pairs` apart, and two such pairs are turned at
// once. Needs an even number of pairs.
template <bool Interleaved>
__global__ void __launch_bounds__(kThreads) RopeKernel(RopeParams p) {
  __shared__ float2 turn[kMaxPairs];
  WaitForPrevious();
  const int pairs = static_cast<int>(p.rotary / 2);
  const int64_t first_position = p.first_position + StepOf(p.step);
  const int steps = Interleaved ? pairs : pairs / 2;  // to a head
  for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
    for (int i = threadIdx.x; i < pairs; i += kThreads) {
      const float2 t = CosSin(first_position + row, p.inverse_frequency[i]);
      turn[i] = make_float2(t.x * p.magnitude, t.y * p.magnitude);
    }
    __syncthreads();
    Bf16* x = static_cast<Bf16*>(p.x) + row * p.row_stride;
    for (int i = threadIdx.x; i < static_cast<int>(p.heads) * steps; i += kThreads) {
      Bf16* head = x + i / steps * p.head_stride;
      const int step = i % steps;
      if constexpr (Interleaved) {
        const float2 v = LoadPair(head + 2 * step), t = turn[step];
        StorePair(head + 2 * step, v.x * t.x - v.y * t.y, v.y * t.x + v.x * t.y);
      } else {
        Bf16* const low = head + 2 * step;
        Bf16* const high = low + pairs;
        const float2 a = LoadPair(low), b = LoadPair(high);
        const float2 t = turn[2 * step], u = turn[2 * step + 1];
        StorePair(low, a.x * t.x - b.x * t.y, a.y * u.x - b.y * u.y);
        StorePair(high, b.x * t.x + a.x * t.y, b.y * u.x + a.y * u.y);
      }
    }
    __syncthreads();
  }
}

}  // namespace

cudaError_t Rope(const RopeParams& p) {
  if (p.rotary / 2 > kMaxPairs || p.rotary % 4 != 0) return cudaErrorInvalidValue;
  const auto kernel = p.interleaved ? RopeKernel<true> : RopeKernel<false>;
  return LaunchEarly(kernel, Blocks(p.rows), kThreads, 0, p.stream, p);
}

}  // namespace longsight::cuda

// Matmul for few rows: every weight is read once, so this is bound by memory. A warp takes one
// output or two at a time, and keeps several 16-byte loads of each in flight. Weights in bf16, or
// in e4m3 with a scale for each row, which are widened in registers.
#include <type_traits>

#include "cuda/bf16.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

constexpr int kWarps = 4;
// Fewer outputs than these give every warp one: more warps to keep the memory busy.
constexpr int64_t kManyOuts = 8192;

__device__ __forceinline__ void Finish(const MatmulParams& p, int64_t row, int64_t out, float sum) {
  const int64_t at = row * p.y_stride + out;
  if (p.y_type == DType::kF32) {
    float* y = static_cast<float*>(p.y) + at;
    if (p.bias != nullptr) sum += static_cast<const float*>(p.bias)[out];
    *y = p.add ? *y + sum : sum;
  } else {
    Bf16* y = static_cast<Bf16*>(p.y) + at;
    if (p.bias != nullptr) sum += ToFloat(static_cast<const Bf16*>(p.bias)[out]);
    *y = FromFloat<Bf16>(p.add ? ToFloat(*y) + sum : sum);
  }
}

template <int Rows, int Outs, bool Vector>
__global__ void __launch_bounds__(32 * kWarps) StreamedKernel(MatmulParams p) {
  constexpr int kStep = Vector ? 8 : 1;
  const int lane = threadIdx.x % 32;
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32) * Outs;
  if (first >= p.out) return;
  const Bf16* x = static_cast<const Bf16*>(p.x);
  const Bf16* w[Outs];
#pragma unroll
  for (int o = 0; o < Outs; ++o) {
    // The last warp of an odd number of outputs reads its one row twice.
    const int64_t out = first + o < p.out ? first + o : first;
    w[o] = static_cast<const Bf16*>(p.w) + out * p.in;
  }
  float sum[Outs][Rows] = {};
#pragma unroll 4
  for (int64_t i = lane * kStep; i < p.in; i += 32 * kStep) {
    float weights[Outs][kStep];
#pragma unroll
    for (int o = 0; o < Outs; ++o) {
      if constexpr (Vector) {
        Load8(w[o] + i, weights[o]);
      } else {
        weights[o][0] = ToFloat(w[o][i]);
      }
    }
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      float value[kStep];
      if constexpr (Vector) {
        Load8(x + r * p.x_stride + i, value);
      } else {
        value[0] = ToFloat(x[r * p.x_stride + i]);
      }
#pragma unroll
      for (int o = 0; o < Outs; ++o) {
#pragma unroll
        for (int j = 0; j < kStep; ++j) sum[o][r] += weights[o][j] * value[j];
      }
    }
  }
#pragma unroll
  for (int o = 0; o < Outs; ++o) {
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      const float total = WarpSum(sum[o][r]);
      if (lane == 0 && first + o < p.out) Finish(p, r, first + o, total);
    }
  }
}

// Said to be four blocks to a multiprocessor, ptxas uses the registers that it needs; left alone it
// aims at more blocks, and spills.
template <int Rows, int Outs, bool Vector>
__global__ void __launch_bounds__(32 * kWarps, 4) StreamedFp8Kernel(MatmulParams p) {
  constexpr int kStep = Vector ? 16 : 1;
  // Vectors of a row of w that a lane has in flight.
  constexpr int kFlights = 4;
  using Raw = std::conditional_t<Vector, uint4, uint8_t>;
  const int lane = threadIdx.x % 32;
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32) * Outs;
  if (first >= p.out) return;
  const Bf16* x = static_cast<const Bf16*>(p.x);
  const uint8_t* w[Outs];
#pragma unroll
  for (int o = 0; o < Outs; ++o) {
    // The last warp of an odd number of outputs reads its one row twice.
    const int64_t out = first + o < p.out ? first + o : first;
    w[o] = static_cast<const uint8_t*>(p.w) + out * p.in;
  }
  float sum[Outs][Rows] = {};
  for (int64_t begin = lane * kStep; begin < p.in; begin += kFlights * 32 * kStep) {
    Raw raw[kFlights][Outs];
#pragma unroll
    for (int f = 0; f < kFlights; ++f) {
      const int64_t i = begin + f * 32 * kStep;
#pragma unroll
      for (int o = 0; o < Outs; ++o) {
        raw[f][o] = i < p.in ? *reinterpret_cast<const Raw*>(w[o] + i) : Raw{};
      }
    }
#pragma unroll
    for (int f = 0; f < kFlights; ++f) {
      const int64_t i = begin + f * 32 * kStep;
      if (i >= p.in) break;
      float weights[Outs][kStep];
#pragma unroll
      for (int o = 0; o < Outs; ++o) {
        if constexpr (Vector) {
          UnpackE4M3(raw[f][o].x, weights[o]);
          UnpackE4M3(raw[f][o].y, weights[o] + 4);
          UnpackE4M3(raw[f][o].z, weights[o] + 8);
          UnpackE4M3(raw[f][o].w, weights[o] + 12);
        } else {
          weights[o][0] = ToFloat(__half(__nv_cvt_fp8_to_halfraw(raw[f][o], __NV_E4M3)));
        }
      }
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        const Bf16* values = x + r * p.x_stride + i;
        if constexpr (Vector) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            float value[8];
            Load8(values + 8 * half, value);
#pragma unroll
            for (int o = 0; o < Outs; ++o) {
#pragma unroll
              for (int j = 0; j < 8; ++j) sum[o][r] += weights[o][8 * half + j] * value[j];
            }
          }
        } else {
          const float value = ToFloat(*values);
#pragma unroll
          for (int o = 0; o < Outs; ++o) sum[o][r] += weights[o][0] * value;
        }
      }
    }
  }
#pragma unroll
  for (int o = 0; o < Outs; ++o) {
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      const float total = WarpSum(sum[o][r]);
      if (lane == 0 && first + o < p.out) {
        Finish(p, r, first + o, total * p.w_scales[first + o]);
      }
    }
  }
}

template <int Rows, int Outs>
cudaError_t Launch(const MatmulParams& p) {
  const auto blocks = static_cast<unsigned>(DivideUp(p.out, kWarps * Outs));
  const bool x_vector = IsVector(p.x, p.x_stride, p.in, sizeof(Bf16));
  if (p.w_scales != nullptr) {
    if (x_vector && IsVector(p.w, p.in, p.in, 1)) {
      StreamedFp8Kernel<Rows, Outs, true><<<blocks, 32 * kWarps, 0, p.stream>>>(p);
    } else {
      StreamedFp8Kernel<Rows, Outs, false><<<blocks, 32 * kWarps, 0, p.stream>>>(p);
    }
  } else if (x_vector && IsVector(p.w, p.in, p.in, sizeof(Bf16))) {
    StreamedKernel<Rows, Outs, true><<<blocks, 32 * kWarps, 0, p.stream>>>(p);
  } else {
    StreamedKernel<Rows, Outs, false><<<blocks, 32 * kWarps, 0, p.stream>>>(p);
  }
  return cudaGetLastError();
}

template <int Rows>
cudaError_t Launch(const MatmulParams& p) {
  // In e4m3 three rows of x are six times the bytes of the weights: two outputs share them.
  const bool shares = p.w_scales != nullptr && Rows >= 3;
  return p.out < kManyOuts && !shares ? Launch<Rows, 1>(p) : Launch<Rows, 2>(p);
}

}  // namespace

cudaError_t MatmulStreamed(const MatmulParams& p) {
  if (p.x_scales != nullptr) return cudaErrorInvalidValue;
  switch (p.rows) {
    case 1:
      return Launch<1>(p);
    case 2:
      return Launch<2>(p);
    case 3:
      return Launch<3>(p);
    case 4:
      return Launch<4>(p);
  }
  return cudaErrorInvalidValue;
}

}  // namespace longsight::cuda

// Rows of a matrix in e4m3 with a scale each, and back. A block takes a row at a time: its largest
// magnitude first, then its elements, which the caches still hold.
#include "cuda/e4m3.cuh"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;

template <class In, bool Vector>
__global__ void __launch_bounds__(kThreads) QuantizeRowsKernel(QuantizeRowsParams p) {
  constexpr int kStep = Vector ? 8 : 1;
  for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
    const In* x = static_cast<const In*>(p.x) + row * p.x_stride;
    auto* y = static_cast<uint8_t*>(p.y) + row * p.n;
    float most = 0;
    for (int64_t i = threadIdx.x * kStep; i < p.n; i += kThreads * kStep) {
      if constexpr (Vector) {
        float v[8];
        Load8(x + i, v);
#pragma unroll
        for (int j = 0; j < 8; ++j) most = fmaxf(most, fabsf(v[j]));
      } else {
        most = fmaxf(most, fabsf(ToFloat(x[i])));
      }
    }
    const float scale = ScaleOfRow(BlockMost<kWarps>(most));
    const float factor = 1 / scale;
    for (int64_t i = threadIdx.x * kStep; i < p.n; i += kThreads * kStep) {
      if constexpr (Vector) {
        float v[8];
        Load8(x + i, v);
        Store8E4M3(y + i, v, factor);
      } else {
        y[i] = ToE4M3(ToFloat(x[i]) * factor);
      }
    }
    if (threadIdx.x == 0) p.scales[row] = scale;
  }
}

template <bool Vector>
__global__ void __launch_bounds__(kThreads) DequantizeRowsKernel(DequantizeRowsParams p) {
  constexpr int kStep = Vector ? 8 : 1;
  const int64_t steps = p.n / kStep, total = p.rows * steps;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < total;
       i += static_cast<int64_t>(gridDim.x) * kThreads) {
    const float scale = p.scales[i / steps];
    const auto* y = static_cast<const uint8_t*>(p.y) + i * kStep;
    Bf16* x = static_cast<Bf16*>(p.x) + i * kStep;
    if constexpr (Vector) {
      const uint2 bits = *reinterpret_cast<const uint2*>(y);
      float v[8];
      UnpackE4M3(bits.x, v);
      UnpackE4M3(bits.y, v + 4);
#pragma unroll
      for (int j = 0; j < 8; ++j) v[j] *= scale;
      Store8(x, v);
    } else {
      *x = FromFloat<Bf16>(ToFloat(__half(__nv_cvt_fp8_to_halfraw(*y, __NV_E4M3))) * scale);
    }
  }
}

template <class In, bool Vector>
cudaError_t Launch(const QuantizeRowsParams& p) {
  QuantizeRowsKernel<In, Vector><<<Blocks(p.rows), kThreads, 0, p.stream>>>(p);
  return cudaGetLastError();
}

template <class In>
cudaError_t Launch(const QuantizeRowsParams& p) {
  const bool vector =
      IsVector(p.x, p.x_stride, p.n, sizeof(In)) && reinterpret_cast<uintptr_t>(p.y) % 8 == 0;
  return vector ? Launch<In, true>(p) : Launch<In, false>(p);
}

}  // namespace

cudaError_t QuantizeRows(const QuantizeRowsParams& p) {
  switch (p.x_type) {
    case DType::kF32:
      return Launch<float>(p);
    case DType::kBF16:
      return Launch<Bf16>(p);
    case DType::kF16:  // weights alone, which the bus brings more slowly than this
      return Launch<__half, false>(p);
    case DType::kE4M3:
      break;
  }
  return cudaErrorInvalidValue;
}

cudaError_t DequantizeRows(const DequantizeRowsParams& p) {
  const bool vector =
      reinterpret_cast<uintptr_t>(p.y) % 8 == 0 && IsVector(p.x, p.n, p.n, sizeof(Bf16));
  if (vector) {
    const int64_t threads = p.rows * (p.n / 8);
    DequantizeRowsKernel<true><<<Blocks(DivideUp(threads, kThreads)), kThreads, 0, p.stream>>>(p);
  } else {
    DequantizeRowsKernel<false>
        <<<Blocks(DivideUp(p.rows * p.n, kThreads)), kThreads, 0, p.stream>>>(p);
  }
  return cudaGetLastError();
}

}  // namespace longsight::cuda

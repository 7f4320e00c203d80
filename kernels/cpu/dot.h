// What a register tile multiplies. Operands lie in 32-bit units along the summed dimension, so that
// one tile loop serves both: a unit is one fp32 value, or a pair of bf16 values.
#pragma once

#include <cstdint>

namespace longsight::cpu {

// sum += a * b in fp32.
template <class S>
struct FmaDot {
  static constexpr int kValuesPerUnit = 1;
  static typename S::V Step(typename S::V a, typename S::V b, typename S::V sum) {
    return S::Fma(a, b, sum);
  }
};

// acc[i][j] += sum over `units` of a[i] x b[j]: MR rows of a, broadcast unit by unit, against NV
// vectors of b. a: unit u of row i at a[i * a_row_stride + u * a_unit_stride]; b: [units][NV *
// width].
template <class S, class Dot, int MR, int NV>
[[gnu::always_inline]] inline void MultiplyTile(typename S::V (&acc)[MR][NV], const float* a,
                                                int64_t a_row_stride, int64_t a_unit_stride,
                                                const float* b, int64_t units) {
  // A copy whose address nobody takes: only such an array stays in registers.
  typename S::V sum[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) sum[i][j] = acc[i][j];
  }
  for (int64_t u = 0; u < units; ++u) {
    typename S::V column[NV];
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) {
      column[j] = S::Load(b + j * S::kWidth);
      S::KeepInRegister(column[j]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const typename S::V row = S::Broadcast(a + i * a_row_stride);
#pragma GCC unroll 8
      for (int j = 0; j < NV; ++j) sum[i][j] = Dot::Step(row, column[j], sum[i][j]);
    }
    a += a_unit_stride;
    b += NV * S::kWidth;
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) acc[i][j] = sum[i][j];
  }
}

}  // namespace longsight::cpu

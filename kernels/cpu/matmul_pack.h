// Panels of a blocked matrix product.
#pragma once

#include "kernels.h"
#include "load.h"
#include "tiling.h"

namespace longsight::cpu {

// W as 32-bit units (dot.h) for FmaDot: one fp32 value each.
template <DType T>
struct WidenedUnits {
  static constexpr int kValues = 1;
  template <class S>
  static typename S::V Vector(const void* row, int64_t unit) {
    return LoadVector<S, T>(row, unit);
  }
  template <class S>
  static float Unit(const void* row, int64_t unit, int64_t /*end*/) {
    return LoadScalar<T>(row, unit);
  }
};

// bf16 W as it lies, two values to the unit, for a bf16 dot product. An odd last value is paired
// with zero.
struct PairedUnits {
  static constexpr int kValues = 2;
  template <class S>
  static typename S::V Vector(const void* row, int64_t unit) {
    return S::Load(static_cast<const float*>(row) + unit);
  }
  template <class S>
  static float Unit(const void* row, int64_t unit, int64_t end) {
    const uint16_t* p = static_cast<const uint16_t*>(row) + 2 * unit;
    const uint32_t second = 2 * unit + 1 < end ? p[1] : 0;
    return FloatFromBits(p[0] | (second << 16));
  }
};

// panel[units][columns] = the first `units` units of rows w[0 .. columns) of the weights,
// transposed; rows from `valid` on are zero. `values` is how many values a row has (2 * units, or
// one less, when paired).
template <class S, class Units, int kColumns>
inline void PackWeightPanel(const void* w, DType type, int64_t w_stride, int64_t valid,
                            int64_t units, int64_t values, float* panel) {
  constexpr int W = S::kWidth;
  // The last unit may be half a pair, and must then not be read whole.
  const int64_t whole = values / Units::kValues;
  for (int64_t c = 0; c < kColumns; c += W) {
    int64_t u = 0;
    if (c + W <= valid) {
      for (; u + W <= whole; u += W) {
        typename S::V block[W];
        for (int i = 0; i < W; ++i) {
          block[i] = Units::template Vector<S>(ElementAt(w, type, (c + i) * w_stride), u);
        }
        S::Transpose(block);
        for (int i = 0; i < W; ++i) S::Store(panel + (u + i) * kColumns + c, block[i]);
      }
    }
    for (; u < units; ++u) {
      for (int64_t i = 0; i < W; ++i) {
        const bool inside = c + i < valid;
        panel[u * kColumns + c + i] =
            inside ? Units::template Unit<S>(ElementAt(w, type, (c + i) * w_stride), u, values)
                   : 0.0f;
      }
    }
  }
}

// panel[rows][units] (row stride `panel_stride` units) = x[rows, values], as fp32 or rounded to
// pairs of bf16.
template <class S, class Units>
inline void PackActivations(const float* x, int64_t x_stride, int64_t rows, int64_t units,
                            int64_t values, float* panel, int64_t panel_stride) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = x + r * x_stride;
    if constexpr (Units::kValues == 1) {
      WidenRow<S, DType::kF32>(from, panel + r * panel_stride, values);
    } else {
      float* to = panel + r * panel_stride;
      int64_t u = 0;
      for (; 2 * u + S::kWidth <= values; u += S::kWidth / 2) {
        S::StoreBf16(reinterpret_cast<uint16_t*>(to + u), S::Load(from + 2 * u));
      }
      for (; u < units; ++u) {
        const uint32_t first = Bf16FromFloat(from[2 * u]);
        const uint32_t second = 2 * u + 1 < values ? Bf16FromFloat(from[2 * u + 1]) : 0;
        to[u] = FloatFromBits(first | (second << 16));
      }
    }
  }
}

}  // namespace longsight::cpu

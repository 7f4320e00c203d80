// Reading tensors of any DType as fp32 vectors.
#pragma once

#include <cstdint>

#include "kernels.h"
#include "scalar_types.h"

namespace longsight::cpu {

static constexpr int64_t ElementBytes(DType type) { return type == DType::kF32 ? 4 : 2; }

// The address of element i; 64-bit throughout.
static inline const void* ElementAt(const void* p, DType type, int64_t i) {
  return static_cast<const char*>(p) + i * ElementBytes(type);
}

template <class S, DType T>
[[gnu::always_inline]] inline typename S::V LoadVector(const void* p, int64_t i) {
  if constexpr (T == DType::kF32) {
    return S::Load(static_cast<const float*>(p) + i);
  } else if constexpr (T == DType::kF16) {
    return S::LoadF16(static_cast<const uint16_t*>(p) + i);
  } else {
    return S::LoadBf16(static_cast<const uint16_t*>(p) + i);
  }
}

template <DType T>
static inline float LoadScalar(const void* p, int64_t i) {
  if constexpr (T == DType::kF32) {
    return static_cast<const float*>(p)[i];
  } else if constexpr (T == DType::kF16) {
    return FloatFromF16(static_cast<const uint16_t*>(p)[i]);
  } else {
    return FloatFromBf16(static_cast<const uint16_t*>(p)[i]);
  }
}

// y[n] = p[0 .. n) as fp32.
template <class S, DType T>
inline void WidenRow(const void* p, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + S::kWidth <= n; i += S::kWidth) S::Store(y + i, LoadVector<S, T>(p, i));
  for (; i < n; ++i) y[i] = LoadScalar<T>(p, i);
}

template <class S>
inline void WidenRow(const void* p, DType type, float* y, int64_t n) {
  switch (type) {
    case DType::kF32:
      return WidenRow<S, DType::kF32>(p, y, n);
    case DType::kF16:
      return WidenRow<S, DType::kF16>(p, y, n);
    case DType::kBF16:
      return WidenRow<S, DType::kBF16>(p, y, n);
  }
}

}  // namespace longsight::cpu

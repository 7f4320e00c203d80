// Matmul of kernels.h: which of the two products runs.
#pragma once

#include "matmul_blocked.h"
#include "matmul_streamed.h"

namespace longsight::cpu {

template <class S, DType T>
inline void MatmulOfType(ThreadPool& pool, const MatmulParams& p) {
  if (p.rows <= kMostStreamedRows) return MatmulStreamed<S, T>(pool, p);
  return MatmulBlocked<S, FmaDot<S>, WidenedUnits<T>>(pool, p);
}

// PairDot: the instruction set's bf16 dot product, or void where it has none.
template <class S, class PairDot>
void MatmulFor(ThreadPool& pool, const MatmulParams& p) {
  if constexpr (!__is_same(PairDot, void)) {
    if (p.round_activations && p.w_type == DType::kBF16 && p.rows > kMostStreamedRows) {
      return MatmulBlocked<S, PairDot, PairedUnits>(pool, p);
    }
  }
  switch (p.w_type) {
    case DType::kF32:
      return MatmulOfType<S, DType::kF32>(pool, p);
    case DType::kF16:
      return MatmulOfType<S, DType::kF16>(pool, p);
    case DType::kBF16:
      return MatmulOfType<S, DType::kBF16>(pool, p);
  }
}

}  // namespace longsight::cpu

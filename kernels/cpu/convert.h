// Convert and Embed of kernels.h: fp32 to a stored type, and rows of a stored table to fp32. Bound
// by memory.
#pragma once

#include <cstring>

#include "kernels.h"
#include "load.h"
#include "thread_pool.h"
#include "tiling.h"

namespace longsight::cpu {

template <class S>
inline void NarrowToBf16(const float* x, uint16_t* y, int64_t n) {
  int64_t i = 0;
  for (; i + S::kWidth <= n; i += S::kWidth) S::StoreBf16(y + i, S::Load(x + i));
  for (; i < n; ++i) y[i] = Bf16FromFloat(x[i]);
}

template <class S>
inline void NarrowToF16(const float* x, uint16_t* y, int64_t n) {
  int64_t i = 0;
  for (; i + S::kWidth <= n; i += S::kWidth) S::StoreF16(y + i, S::Load(x + i));
  for (; i < n; ++i) y[i] = F16FromFloat(x[i]);
}

template <class S>
void ConvertFor(ThreadPool& pool, const float* x, void* y, DType y_type, int64_t n) {
  constexpr int64_t kTaskElements = 16384;
  pool.ParallelFor(CeilDiv(n, kTaskElements), [&](int64_t task, int) {
    const int64_t begin = task * kTaskElements;
    const int64_t count = Min(kTaskElements, n - begin);
    switch (y_type) {
      case DType::kF32:
        std::memcpy(static_cast<float*>(y) + begin, x + begin,
                    static_cast<size_t>(count) * sizeof(float));
        return;
      case DType::kF16:
        return NarrowToF16<S>(x + begin, static_cast<uint16_t*>(y) + begin, count);
      case DType::kBF16:
        return NarrowToBf16<S>(x + begin, static_cast<uint16_t*>(y) + begin, count);
    }
  });
}

template <class S>
void EmbedFor(ThreadPool& pool, const void* table, DType type, const uint32_t* ids, int64_t rows,
              int64_t n, float* y) {
  const int64_t task_rows = Max(1, int64_t{16384} / Max(1, n));
  pool.ParallelFor(CeilDiv(rows, task_rows), [&](int64_t task, int) {
    for (int64_t r = task * task_rows; r < Min(rows, (task + 1) * task_rows); ++r) {
      WidenRow<S>(ElementAt(table, type, int64_t{ids[r]} * n), type, y + r * n, n);
    }
  });
}

}  // namespace longsight::cpu

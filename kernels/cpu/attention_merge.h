// Partial attention results and their exact merge by log-sum-exp (Dao, "Flash-Decoding", 2023).
#pragma once

#include <cmath>
#include <cstring>
#include <limits>

#include "attention_rows.h"

namespace longsight::cpu {

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Normalised outputs [rows, head_size] and their lse [rows], contiguous.
struct PartialAttention {
  float* out;
  float* lse;
};

// out[n] and lse become those over both sets of keys.
static inline void MergeRow(float* out, float* lse, const float* more, float more_lse, int64_t n) {
  if (more_lse == kMinusInfinity) return;
  if (*lse == kMinusInfinity) {
    std::memcpy(out, more, static_cast<size_t>(n) * sizeof(float));
    *lse = more_lse;
    return;
  }
  const float top = *lse > more_lse ? *lse : more_lse;
  const float old_mass = std::exp(*lse - top);
  const float new_mass = std::exp(more_lse - top);
  const float total = old_mass + new_mass;
  const float keep = old_mass / total;
  const float take = new_mass / total;
  for (int64_t i = 0; i < n; ++i) out[i] = keep * out[i] + take * more[i];
  *lse = top + std::log(total);
}

// Stacked row i of a KV head into p.out and p.lse: merged with what is there, or in its place.
static inline void StoreRow(const AttentionParams& p, int64_t kv_head, int64_t i, const float* row,
                            float lse) {
  float* out = p.out + StackedOffset(p, kv_head, i, p.out_row_stride, p.out_head_stride);
  float* out_lse = p.lse + StackedOffset(p, kv_head, i, p.heads, 1);
  if (p.merge) {
    MergeRow(out, out_lse, row, lse, p.head_size);
    return;
  }
  std::memcpy(out, row, static_cast<size_t>(p.head_size) * sizeof(float));
  *out_lse = lse;
}

}  // namespace longsight::cpu

// Merges parts of one attention, each normalised over its own keys, by their log-sum-exps.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace longsight::cuda {

inline constexpr int64_t kMaxParts = 1024;

// Parts in a workspace: [parts] of out [rows, heads, head_size] and lse [rows, heads], fp32.
struct PartLayout {
  int64_t rows, heads, head_size;

  int64_t lse_offset() const { return rows * heads * head_size; }
  // Floats from part to part; a multiple of four, for vectors.
  int64_t stride() const { return (lse_offset() + rows * heads + 3) / 4 * 4; }
  int64_t bytes() const { return stride() * static_cast<int64_t>(sizeof(float)); }
};

struct AttentionMergeParams {
  PartLayout layout;
  float* parts;
  int64_t first, end;  // the parts to merge
  // bf16 out[rows, heads, head_size] and lse[rows, heads]; null: into part 0.
  void* out;
  int64_t out_row_stride;
  float* lse;
  cudaStream_t stream;
};
cudaError_t AttentionMerge(const AttentionMergeParams& p);

}  // namespace longsight::cuda

// Attention of a chunk's rows over all cached tokens, dense or sparse, whatever runs they lie in:
// the steps of attention.h and AttentionDecode in their order, in one workspace.
#pragma once

#include "cuda/kernels.h"

namespace longsight::cuda {

// The kernels of attention.h read bf16: what is cached as e4m3 is widened for them, a part at a
// time.
inline constexpr int64_t kWidenedTokens = 65536;
// Device memory for the keys and values of such a part.
int64_t WidenedBytes(int64_t kv_heads, int64_t head_size);

// Rows over all keys of `p.runs`: by the prefill kernel where there are enough of them and it knows
// the head size, by AttentionDecode otherwise.
// `widened`: WidenedBytes, or null when the type is bf16.
Launched AttendChunk(const AttentionDecodeParams& p, void* widened);

// A chunk of `rows` at the end of a context of `tokens`.
struct SparseChunkShape {
  int64_t heads, kv_heads, head_size;
  int64_t rows, tokens;
};
// Of device memory, everything that the three functions below need beside their operands.
int64_t SparseChunkBytes(const SparseChunkShape& shape);

struct SparseChunkParams {
  SparseChunkShape shape;
  const void* q;  // bf16 [rows, heads, head_size]
  int64_t q_row_stride;
  int64_t first_position;
  float scale;
  const CachedRun* runs;  // host; from position 0 on, without a gap; one set of strides
  int64_t run_count;
  DType kv_type;                       // kBF16 or kE4M3
  const index::HeadPattern* patterns;  // host [heads]
  double recall_floor;
  index::AreaBudget area;
  void* out;  // bf16 [rows, heads, head_size]
  int64_t out_row_stride;
  float* lse;  // [rows, heads]
  void* workspace;
  cudaStream_t stream;
};
// Which keys every head keeps; then the attention over them, and what of it that was, with the same
// params.
Launched ChooseSparseChunk(const SparseChunkParams& p);
Launched AttendSparseChunk(const SparseChunkParams& p);
Launched MeasureSparseChunk(const SparseChunkParams& p);
// [heads], in the workspace: what it came to.
const HeadReport* SparseChunkReports(const SparseChunkParams& p);

}  // namespace longsight::cuda

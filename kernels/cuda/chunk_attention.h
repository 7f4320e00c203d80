// Attention of a chunk's rows over all cached tokens, dense or sparse, whatever runs they lie in:
// the steps of attention.h and AttentionDecode in their order, in one workspace.
#pragma once

#include "cuda/kernels.h"

namespace longsight::cuda {

// Rows over all keys of `p.runs`: by the prefill kernel where there are enough of them and it knows
// the head size, by AttentionDecode otherwise.
Launched AttendChunk(const AttentionDecodeParams& p);

// A chunk of `rows` at the end of a context of `tokens`.
struct SparseChunkShape {
  int64_t heads, kv_heads, head_size;
  int64_t rows, tokens;
};
// Of device memory, everything that the two functions below need beside their operands.
int64_t SparseChunkBytes(const SparseChunkShape& shape);

struct SparseChunkParams {
  SparseChunkShape shape;
  const void* q;  // bf16 [rows, heads, head_size]
  int64_t q_row_stride;
  int64_t first_position;
  float scale;
  const KvRun* runs;  // host; from position 0 on, without a gap; one set of strides
  int64_t run_count;
  const index::HeadPattern* patterns;  // host [heads]
  double recall_floor;
  void* out;  // bf16 [rows, heads, head_size]
  int64_t out_row_stride;
  float* lse;  // [rows, heads]
  void* workspace;
  cudaStream_t stream;
};
// Which keys every head keeps; then the attention over them, with the same params.
Launched ChooseSparseChunk(const SparseChunkParams& p);
Launched AttendSparseChunk(const SparseChunkParams& p);
// [heads], in the workspace: what the choice came to.
const HeadReport* SparseChunkReports(const SparseChunkParams& p);

}  // namespace longsight::cuda

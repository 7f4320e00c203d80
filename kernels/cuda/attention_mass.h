// Where the attention of one query row went: its softmax weight on spans of keys, from the row's
// log-sum-exp. K is read once, V not at all.
#pragma once

#include <cstdint>

#include "cuda/kernels.h"
#include "cuda/mass_pieces.h"

namespace longsight::cuda {

// q[1, heads, head_size] bf16 and lse [heads] of the row, over all keys that it sees. `pieces` and
// `first_of_span` are those of a MassPieces, on the device. mass[heads, spans] is what the row
// gives to the keys of each span. Head sizes are multiples of 8 up to 128, of 16 with kE4M3.
struct AttentionMassParams {
  const void* q;
  const float* lse;
  int64_t heads, kv_heads, head_size;
  float scale;
  const CachedRun* runs;  // host; one set of strides, which kE4M3 has none of
  int64_t run_count;
  DType kv_type;  // kBF16 or kE4M3
  const MassPiece* pieces;
  int64_t piece_count;
  const MassPiece* host_pieces;  // the same, to tell which belong to which runs
  const int32_t* first_of_span;
  int64_t spans;
  float* partial;  // [heads, piece_count]: scratch
  float* mass;
  cudaStream_t stream = nullptr;
};
cudaError_t AttentionMass(const AttentionMassParams& p);

}  // namespace longsight::cuda

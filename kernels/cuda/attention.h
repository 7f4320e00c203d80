// Prefill attention of the CUDA backend: dense, sparse, and how sparse heads choose what they see.
// Plain C++: no CUDA header is needed to call it. One params struct per operation; shapes in
// brackets, strides in elements, all pointers in device memory. Nothing here allocates or
// synchronises: every launch goes to `stream` and returns at once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "index/fill.h"
#include "index/pattern.h"

struct CUstream_st;

namespace longsight::cuda {

// What a launch came to: `error` is a cudaError_t (0: under way), `what` names the step or the
// limit that was not met, in words for a message.
struct Launched {
  int error = 0;
  const char* what = "";
  bool ok() const { return error == 0; }
};

// Query rows that share one cover.
inline constexpr int64_t kSparseRows = 128;

// A run of cached tokens: K and V of one layer in bf16, [tokens, kv_heads, head_size] each. Strides
// are multiples of 8 elements and pointers of 16 bytes, here and for q and out.
struct KvRun {
  const void* k;
  const void* v;
  int64_t row_stride;   // between tokens
  int64_t head_stride;  // between KV heads
  int64_t tokens;
  int64_t first_position;  // absolute position of token 0
};

// Attention of q[rows, heads, head_size] over ONE run: exact softmax over the keys of this run
// alone. Query row r is at absolute position first_position + r and sees keys at positions
// (position - window, position] (window <= 0: all up to its own). Query head h reads KV head
// h / (heads / kv_heads). q and out are bf16; lse is the natural log of the
// sum of exp(scale * q.k). A row that sees no key gets 0 and -inf. merge: out and lse already hold
// the result over earlier runs, and the two are merged by log-sum-exp. head_size: 64, 96 or 128.
struct PrefillParams {
  const void* q;
  int64_t q_row_stride, q_head_stride;
  int64_t rows, heads, kv_heads, head_size;
  int64_t first_position;
  int64_t window = 0;
  float scale;
  KvRun kv;
  void* out;
  int64_t out_row_stride, out_head_stride;
  float* lse;  // [rows, heads]
  bool merge = false;
  int32_t* next_task;  // one number of scratch, of this launch alone
  CUstream_st* stream;
};
Launched PrefillAttention(const PrefillParams& p);

// What a query head sees in one chunk. Filled in on the device by ChooseLines, or copied there.
//   kDense:                  every key.
//   kAShape, kVerticalSlash: keys [0, first_keys), the columns and the bands.
//   kBlockSparse:            the row block's list in Lines::blocks.
struct HeadLines {
  int32_t kind;  // index::PatternKind
  int32_t first_keys;
  int32_t column_count;
  int32_t band_count;
};
// Slash offsets [begin, end).
struct Band {
  int32_t begin;
  int32_t end;
};

// The lines of all query heads of a layer in one chunk.
struct Lines {
  HeadLines* heads;  // [heads]
  // [heads, column_capacity]: ascending key positions from first_keys on.
  int32_t* columns;
  int64_t column_capacity;
  // [heads, band_capacity]: ascending, neither overlapping nor touching; the first begins at 0, so
  // that every row sees its row block's own keys.
  Band* bands;
  int64_t band_capacity;
  // [heads, row blocks, block_capacity]: ascending numbers of the blocks of index::kKeyBlock keys
  // left of the row block's own, ended by -1 when there are fewer; null without block-sparse heads.
  int32_t* blocks;
  int64_t block_capacity;
  // [heads]: query heads, those with the most to do first.
  int32_t* order;
};

// As PrefillAttention, over what `lines` keep of the run's keys: see index/cover.h, with row blocks
// of kSparseRows from the chunk's first row on. All heads in one launch.
struct SparsePrefillParams {
  const void* q;
  int64_t q_row_stride, q_head_stride;
  int64_t rows, heads, kv_heads, head_size;
  int64_t first_position;
  float scale;
  KvRun kv;
  Lines lines;
  void* out;
  int64_t out_row_stride, out_head_stride;
  float* lse;  // [rows, heads]
  bool merge = false;
  int32_t* next_task;  // one number of scratch, of this launch alone
  CUstream_st* stream;
};
Launched SparsePrefillAttention(const SparsePrefillParams& p);

// The attention of the chunk's last rows over all keys, summed along both kinds of lines: see
// index/select.h. The rows are at the last `rows` positions of the run, which begins at position 0;
// causal. Two passes over K; no score is kept.
struct ProbeParams {
  const void* q;  // bf16 [rows, heads, head_size]
  int64_t q_row_stride, q_head_stride;
  int64_t rows;  // 1 to index::kProbeRows
  int64_t heads, kv_heads, head_size;
  float scale;
  KvRun kv;
  float* columns;   // [heads, tokens]: per key, summed over the rows
  float* bands;     // [heads, ceil(tokens / index::kBandOffsets)]: per band of offsets, without the
                    // keys below index::kFirstColumns
  float* lse;       // [heads, index::kProbeRows]
  void* workspace;  // ProbeWorkspaceBytes
  CUstream_st* stream;
};
size_t ProbeWorkspaceBytes(int64_t heads);
Launched Probe(const ProbeParams& p);

// What the choice of lines came to for one head; doubles as the engine's report of it.
struct HeadReport {
  double pairs;        // query-key pairs that the kernel computes
  double guard_pairs;  // those of them that the recall guard added
  // Share of the probe rows' attention that is kept; 1 for a dense head. By the choice: of what the
  // lines cover, and 0 for block-sparse heads; MeasureRecall has it as it came out.
  double recall;
};

// The lines of every head in a chunk, from the probe's sums: the budget and its filling, the recall
// guard and the fall back to dense of the CPU engine's choice, on the device. `patterns` is host
// memory, read before this returns; at most 256 heads.
struct ChooseLinesParams {
  const index::HeadPattern* patterns;  // host [heads]
  int64_t heads;
  int64_t first_position, rows;  // the chunk's
  int64_t probe_rows;
  const float* columns;  // of Probe
  float* bands;          // of Probe; changed
  double recall_floor;   // of every head, 0: no guard; below 0: each pattern's own
  index::AreaBudget area;
  // Written, but for `blocks`, which ChooseBlocks has written: by them the guard judges
  // block-sparse heads.
  Lines lines;
  HeadReport* reports;  // [heads]
  CUstream_st* stream;
};
// What the lists of `lines` must hold: all columns, and runs of bands.
int64_t ColumnCapacity(int64_t tokens);
int64_t BandCapacity(int64_t tokens);
Launched ChooseLines(const ChooseLinesParams& p);

// The key blocks of block-sparse heads, written to lines.blocks: for every row block the best by
// mean query and mean key.
struct ChooseBlocksParams {
  const void* q;  // bf16 [rows, heads, head_size]
  int64_t q_row_stride, q_head_stride;
  int64_t rows, heads, kv_heads, head_size;
  int64_t first_position;
  KvRun kv;  // from position 0 on
  Lines lines;
  // host [heads]: blocks that a head wants per row block, what is in by right among them; 0: it
  // does not choose. Read before this returns; at most 256 heads.
  const int64_t* blocks;
  void* workspace;  // ChooseBlocksWorkspaceBytes, aligned to 16 bytes
  CUstream_st* stream;
};
size_t ChooseBlocksWorkspaceBytes(int64_t heads, int64_t kv_heads, int64_t head_size, int64_t rows,
                                  int64_t tokens);
Launched ChooseBlocks(const ChooseBlocksParams& p);

// The recall of every head that is not dense, to its report: the mean over the probe rows of
// exp(the log-sum-exp of what was attended to - that of all keys).
struct MeasureRecallParams {
  const HeadLines* kinds;  // [heads], of the choice
  int64_t heads;
  int64_t rows;            // the chunk's
  int64_t probe_rows;      // the last of them
  const float* lse;        // [rows, heads], of SparsePrefillAttention over all runs
  const float* probe_lse;  // [heads, index::kProbeRows], of Probe
  HeadReport* reports;     // [heads]
  CUstream_st* stream;
};
Launched MeasureRecall(const MeasureRecallParams& p);

}  // namespace longsight::cuda

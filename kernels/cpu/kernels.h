// The CPU backend's operations. One params struct per operation; shapes in brackets, row-major,
// strides in elements.
//
// Activations are fp32. Weights are bf16, f16 or f32 as they lie in the mapped file, and are never
// repacked for good. K and V are bf16 or f32. Every operation runs on all threads of `pool`, checks
// nothing but what its comment says (the engine checks shapes once, when it plans), never allocates
// more than its stated workspace, and never throws.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "index/pattern.h"

namespace longsight::cpu {

class ThreadPool;  // thread_pool.h

enum class DType : uint8_t { kF32, kF16, kBF16 };

// y[rows, out] = x[rows, in] * w[out, in]^T + bias[out]; `add`: y += the product instead.
// rows <= 8 streams the weights once (bandwidth bound); more rows pack panels of w (compute bound).
// With `round_activations` a backend that has a bf16 dot product may round x to bf16; without it x
// stays fp32.
struct MatmulParams {
  const float* x;
  int64_t x_stride;
  const void* w;
  DType w_type;
  const float* bias;  // or null
  float* y;
  int64_t y_stride;
  int64_t rows, in, out;
  bool add = false;
  bool round_activations = false;
};
void Matmul(ThreadPool& pool, const MatmulParams& p);

// y[rows, n] = x / sqrt(mean(x^2) + eps) * weight[n], the mean in fp64 or compensated fp32. In
// place is allowed.
struct RmsNormParams {
  const float* x;
  int64_t x_stride;
  const float* weight;
  float* y;
  int64_t y_stride;
  int64_t rows, n;
  float eps;
};
void RmsNorm(ThreadPool& pool, const RmsNormParams& p);

// Rotates x[rows, heads, head_size] in place; row r is at position `first_position + r`.
// inverse_frequency[rotary/2] is fp64, and the angle position * frequency is reduced modulo 2 pi in
// fp64, so that it is exact to fp32 at position 1,000,000 and beyond. Only the first `rotary`
// elements of a head turn. interleaved: pairs (2i, 2i+1) (GLM); otherwise (i, i + rotary/2)
// (Llama). cos and sin are multiplied by `magnitude`.
struct RopeParams {
  float* x;
  int64_t row_stride, head_stride;
  int64_t rows, heads, rotary;
  const double* inverse_frequency;
  int64_t first_position;
  float magnitude = 1.0f;
  bool interleaved = false;
};
void Rope(ThreadPool& pool, const RopeParams& p);

// y[rows, n] = silu(gate[rows, n]) * up[rows, n]. In place on gate is allowed.
struct SwiGluParams {
  const float* gate;
  const float* up;
  int64_t gate_stride, up_stride;
  float* y;
  int64_t y_stride;
  int64_t rows, n;
};
void SwiGlu(ThreadPool& pool, const SwiGluParams& p);

// A run of cached tokens: K and V of one layer, [tokens, kv_heads, head_size] each, contiguous
// rows.
struct KvView {
  const void* k;
  const void* v;
  DType type;           // kBF16 or kF32
  int64_t row_stride;   // elements between tokens
  int64_t head_stride;  // elements between KV heads
  int64_t tokens;
  int64_t first_position;  // absolute position of token 0
};

// Partial attention of q[rows, heads, head_size] over ONE KvView: exact softmax over the keys of
// this view alone. Query row r is at absolute position first_position + r and sees keys at
// positions (position - window, position] (window <= 0: all up to its own). GQA: query head h reads
// KV head h / (heads / kv_heads). out[rows, heads, head_size] is normalised over this view;
// lse[rows, heads] is the natural log of the sum of exp(scale * q.k) over it. A row that sees no
// key gets out = 0 and lse = -inf. merge: out and lse already hold the result over earlier views;
// the two are merged exactly by log-sum-exp. `cancel`, when set, is polled between tiles; the
// result is then unusable and must be dropped. With `round_activations` and bf16 K and V, a backend
// that has a bf16 dot product may round q and the softmax weights to bf16; sums stay fp32.
struct AttentionParams {
  const float* q;
  int64_t q_row_stride, q_head_stride;
  int64_t rows, heads, kv_heads, head_size;
  int64_t first_position;
  int64_t window = 0;
  float scale;
  KvView kv;
  float* out;
  int64_t out_row_stride, out_head_stride;
  float* lse;  // [rows, heads]
  bool merge = false;
  bool round_activations = false;
  const std::atomic<bool>* cancel = nullptr;
};
void Attention(ThreadPool& pool, const AttentionParams& p);

// All keys of a layer: views without a gap between them, the first one from position 0 on. One type
// and one set of strides.
struct KvViews {
  const KvView* views;
  int64_t count;
  int64_t tokens;  // of all together
};

// Rows that share one cover in SparseAttention (index/cover.h), counted from its first row: whole
// panels of every instruction set.
inline constexpr int64_t kSparseRows = 96;
// The longest context that block-sparse heads can have, in blocks of index::kKeyBlock keys.
inline constexpr int64_t kMaxKeyBlocks = 65536;

// What one query head attends to. kDense: every key. kAShape and kVerticalSlash: `lines`, in
// absolute positions. kBlockSparse: `blocks` key blocks per row block.
struct HeadCover {
  index::PatternKind kind;
  index::Lines lines;
  int64_t blocks;
};

// Attention of q[rows, heads, head_size] over what each query head's cover keeps of all keys up to
// the last row, which is the last of them: kv.tokens == first_position + rows. Exact softmax over
// the kept keys that the causal mask lets through. out, lse, cancel, round_activations: as in
// AttentionParams.
struct SparseAttentionParams {
  const float* q;
  int64_t q_row_stride, q_head_stride;
  int64_t rows, heads, kv_heads, head_size;
  int64_t first_position;
  float scale;
  KvViews kv;
  const HeadCover* covers;  // [heads]
  // [kv_heads, ceil(tokens / index::kKeyBlock), head_size]: what KeyMeans wrote; null when no head
  // is block-sparse.
  const float* key_means;
  float* out;
  int64_t out_row_stride, out_head_stride;
  float* lse;  // [rows, heads]
  bool round_activations = false;
  const std::atomic<bool>* cancel = nullptr;
};
void SparseAttention(ThreadPool& pool, const SparseAttentionParams& p);

// means[kv_heads, ceil(tokens / index::kKeyBlock), head_size] of each block's keys.
struct KeyMeansParams {
  KvViews kv;
  int64_t kv_heads, head_size;
  float* means;
};
void KeyMeans(ThreadPool& pool, const KeyMeansParams& p);

// The attention of a few rows over all keys, summed along both kinds of lines: what vertical-slash
// heads choose their lines by. Two passes over K, no score is kept. Rows are at the last `rows`
// positions of the keys; causal; one KV head, whose query heads are q's `heads`.
struct ProbeParams {
  const float* q;  // [rows, heads, head_size] of this KV head's group
  int64_t q_row_stride, q_head_stride;
  int64_t rows;  // 1 to index::kProbeRows
  int64_t heads, head_size;
  float scale;
  KvViews kv;
  int64_t kv_head;
  float* columns;    // [heads, tokens]: per key, summed over the rows
  float* bands;      // [heads, ceil(tokens / index::kBandOffsets)]: per band of offsets, without
                     // the keys below index::kFirstColumns, which are always in
  float* lse;        // [heads, rows]: natural log of the sum over all keys
  float* workspace;  // ProbeWorkspaceFloats
  bool round_activations = false;
  const std::atomic<bool>* cancel = nullptr;
};
int64_t ProbeWorkspaceFloats(int64_t heads, int64_t tokens);
void Probe(ThreadPool& pool, const ProbeParams& p);

// Where the attention of one query row went: mass[heads, spans] += the sum of exp(score - lse) over
// the keys of each span. Span i holds the keys [ends[i - 1], ends[i]), the first one those from 0
// on; ends ascend, and the last one is at most kv.tokens. The row sees all of these keys. One pass
// over K; V is not read.
struct AttentionMassParams {
  const float* q;  // [heads, head_size]
  int64_t q_head_stride;
  int64_t heads, kv_heads, head_size;
  float scale;
  KvViews kv;
  const float*
      lse;  // [heads]: natural log of the row's sum over all its keys, as Attention gives it
  const int64_t* ends;  // [spans]
  int64_t spans;
  float* mass;  // [heads, spans]
  const std::atomic<bool>* cancel = nullptr;
};
void AttentionMass(ThreadPool& pool, const AttentionMassParams& p);

// y[n] (type y_type) = x[n] rounded to nearest even; the write path of the KV.
void Convert(ThreadPool& pool, const float* x, void* y, DType y_type, int64_t n);

// y[rows, n] fp32 = table[ids[r], n]; ids are checked by the caller.
void Embed(ThreadPool& pool, const void* table, DType type, const uint32_t* ids, int64_t rows,
           int64_t n, float* y);

// sums[heads, 2] over all rows and elements: the squares of expected[rows, heads, head_size], and
// of actual - expected. In fp64, whatever the number of threads the same.
struct CompareHeadsParams {
  const float* expected;
  int64_t expected_stride;
  const float* actual;
  int64_t actual_stride;
  int64_t rows, heads, head_size;
  double* sums;
};
void CompareHeads(ThreadPool& pool, const CompareHeadsParams& p);

// The instruction set in use: "avx512bf16", "avx512", "avx2" or "portable"; chosen once from the
// CPU, or by the environment variable LONGSIGHT_ISA (which may only lower it; an unknown or absent
// one is an error at SelectIsa).
const char* IsaName();

}  // namespace longsight::cpu

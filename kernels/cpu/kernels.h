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

// y[n] (type y_type) = x[n] rounded to nearest even; the write path of the KV.
void Convert(ThreadPool& pool, const float* x, void* y, DType y_type, int64_t n);

// y[rows, n] fp32 = table[ids[r], n]; ids are checked by the caller.
void Embed(ThreadPool& pool, const void* table, DType type, const uint32_t* ids, int64_t rows,
           int64_t n, float* y);

// The instruction set in use: "avx512bf16", "avx512", "avx2" or "portable"; chosen once from the
// CPU, or by the environment variable LONGSIGHT_ISA (which may only lower it; an unknown or absent
// one is an error at SelectIsa).
const char* IsaName();

}  // namespace longsight::cpu

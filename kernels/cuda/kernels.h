// The CUDA backend's operations: the names of kernels/cpu, one params struct per operation with the
// stream included; shapes in brackets, row-major, strides in elements. Pointers are device memory
// unless a comment says host.
//
// The residual stream is fp32, activations between matrix products are bf16, weights are bf16, sums
// are fp32. Every function only enqueues; it returns what the launch returned, and a failure of the
// work itself shows up at a later call (device.h). Nothing allocates.
//
// `step`, where there is one, is null or a number in device memory that moves positions on: what
// was recorded for one token of a decode is run again for the next ones, whose kernels read it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "cuda/attention.h"

namespace longsight::cuda {

// kE4M3 has scales beside it: keys and values a bf16 one for each token and KV head, matrices an
// fp32 one for each row.
enum class DType : uint8_t { kF32, kF16, kBF16, kE4M3 };

// y[rows, out] = x[rows, in] * w[out, in]^T + bias[out]; `add`: y += that instead, where y is
// fp32. x, w bf16, or e4m3 with a scale for each row; y and bias fp32 or bf16.
struct MatmulParams {
  const void* x;
  int64_t x_stride;
  const float* x_scales = nullptr;  // [rows]: x is e4m3
  const void* w;
  const float* w_scales = nullptr;  // [out]: w is e4m3
  const void* bias;                 // of y's type, or null
  void* y;
  DType y_type;
  int64_t y_stride;
  int64_t rows, in, out;
  bool add = false;
  // Products of e4m3 may be summed as the tensor cores do by themselves, in some 14 bits, rather
  // than in fp32 every few steps. BlasLt alone looks at it.
  bool fast_sums = false;
  cudaStream_t stream = nullptr;
};
// Few rows: streams the weights once, bound by memory; x is bf16. It asks for weights before its
// turn on the stream: what writes them must be over when this is called. More rows go to BlasLt
// (blas_lt.h), with weights in e4m3 by way of Fp8Linear (fp8_linear.h).
inline constexpr int64_t kStreamedRows = 4;
cudaError_t MatmulStreamed(const MatmulParams& p);
// Up to so many products of one x at once, with weights of one kind: in one launch, since those of
// few outputs take less time than a launch.
inline constexpr int kStreamedProducts = 3;
cudaError_t MatmulStreamed(const MatmulParams* products, int count);

// Rows that are written in bf16, in e4m3 as well: y[rows, n], contiguous, as QuantizeRows would.
struct InE4M3 {
  void* y = nullptr;
  float* scales = nullptr;  // [rows]
};

// y[rows, n] = x / sqrt(mean(x^2) + eps) * weight[n]. x fp32 or bf16, weight fp32, y bf16. In place
// is allowed.
struct RmsNormParams {
  const void* x;
  DType x_type;
  int64_t x_stride;
  const float* weight;
  void* y;
  int64_t y_stride;
  int64_t rows, n;
  float eps;
  InE4M3 rounded;  // or null
  cudaStream_t stream = nullptr;
};
cudaError_t RmsNorm(const RmsNormParams& p);

// Rotates x[rows, heads, head_size], bf16, in place; see kernels/cpu for the rest. The angle is
// reduced modulo 2 pi in fp64.
struct RopeParams {
  void* x;
  int64_t row_stride, head_stride;
  int64_t rows, heads, rotary;
  const double* inverse_frequency;  // [rotary / 2]
  int64_t first_position;
  float magnitude = 1.0f;
  bool interleaved = false;
  cudaStream_t stream = nullptr;
  const int64_t* step = nullptr;
};
cudaError_t Rope(const RopeParams& p);

// y[rows, n] = silu(gate[rows, n]) * up[rows, n], all bf16. In place on gate is allowed.
struct SwiGluParams {
  const void* gate;
  const void* up;
  int64_t gate_stride, up_stride;
  void* y;
  int64_t y_stride;
  int64_t rows, n;
  InE4M3 rounded = {};  // or null
  cudaStream_t stream = nullptr;
};
cudaError_t SwiGlu(const SwiGluParams& p);

// y[n] = x[n], rounded to nearest even where y is narrower. With a step, y begins n elements
// further for each.
struct ConvertParams {
  const void* x;
  DType x_type;
  void* y;
  DType y_type;
  int64_t n;
  cudaStream_t stream = nullptr;
  const int64_t* step = nullptr;
};
cudaError_t Convert(const ConvertParams& p);

// y[rows, n] fp32 = table[ids[r], n], bf16; ids are checked by the caller.
struct EmbedParams {
  const void* table;
  const uint32_t* ids;
  int64_t rows, n;
  float* y;
  cudaStream_t stream = nullptr;
};
cudaError_t Embed(const EmbedParams& p);

// Cached tokens of one type. Scales are [tokens, kv_heads], bf16, when the type is kE4M3.
struct CachedRun : KvRun {
  const void* k_scales = nullptr;
  const void* v_scales = nullptr;
};

// y = x[rows, heads, head_size] in e4m3, with the scale that uses its range: bf16 [rows, heads]. x
// bf16, contiguous, as y is. With a step, y and its scales begin `rows` rows further for each.
struct QuantizeParams {
  const void* x;
  void* y;
  void* scales;
  int64_t rows, heads, head_size;
  cudaStream_t stream = nullptr;
  const int64_t* step = nullptr;
};
cudaError_t Quantize(const QuantizeParams& p);
// And back: x bf16 of y and its scales.
struct DequantizeParams {
  const void* y;
  const void* scales;
  void* x;
  int64_t rows, heads, head_size;
  cudaStream_t stream = nullptr;
};
cudaError_t Dequantize(const DequantizeParams& p);

// y[rows, n] = x[rows, n] in e4m3, each row with the scale that uses its range (fp8_scale.h); NaN
// stays NaN, and a row with an infinity becomes NaN. x fp32, f16 or bf16; y contiguous.
struct QuantizeRowsParams {
  const void* x;
  DType x_type;
  int64_t x_stride;
  void* y;
  float* scales;  // [rows]
  int64_t rows, n;
  cudaStream_t stream = nullptr;
};
cudaError_t QuantizeRows(const QuantizeRowsParams& p);
// And back: x[rows, n] bf16, contiguous, of y and its scales.
struct DequantizeRowsParams {
  const void* y;
  const float* scales;
  void* x;
  int64_t rows, n;
  cudaStream_t stream = nullptr;
};
cudaError_t DequantizeRows(const DequantizeRowsParams& p);

// sums[heads, 2] over all rows and elements: the squares of expected[rows, heads, head_size], and
// of actual - expected, both bf16 in strides of multiples of 8. In fp64, and the same in every run.
// head_size: any multiple of 8 up to kMaxHeadSize.
struct CompareHeadsParams {
  const void* expected;
  int64_t expected_stride;
  const void* actual;
  int64_t actual_stride;
  int64_t rows, heads, head_size;
  double* sums;
  void* workspace;  // CompareHeadsWorkspaceBytes
  cudaStream_t stream = nullptr;
};
// At most so many heads, and parts of the rows that are summed by themselves.
inline constexpr int64_t kCompareHeads = 1024, kCompareParts = 1024;
inline constexpr int64_t CompareHeadsWorkspaceBytes(int64_t heads) {
  return heads * kCompareParts * 2 * static_cast<int64_t>(sizeof(double));
}
cudaError_t CompareHeads(const CompareHeadsParams& p);

// The longest head that AttentionDecode takes; any multiple of 8 up to it.
inline constexpr int64_t kMaxHeadSize = 128;

// Exact softmax attention of q[rows, heads, head_size] over all keys of `runs`, for any number of
// rows; made for few: the keys are split over the device, the query heads of a KV head are stacked
// as rows of one tile, and the parts are merged by log-sum-exp. Row r is at first_position + r and
// sees keys at positions (position - window, position] (window <= 0: all up to its own). q, out
// bf16; lse natural; a row that sees no key is 0 and -inf. The
// last run may claim tokens that are not there yet, as long as no row sees them.
struct AttentionDecodeParams {
  const void* q;
  int64_t q_row_stride;
  int64_t rows, heads, kv_heads, head_size;
  int64_t first_position;
  int64_t window = 0;
  float scale;
  const CachedRun* runs;  // host; ascending positions; one set of strides, which kE4M3 has none of
  int64_t run_count;
  DType kv_type;  // kBF16 or kE4M3
  void* out;
  int64_t out_row_stride;
  float* lse;       // [rows, heads]
  void* workspace;  // kAttentionWorkspace bytes
  int multiprocessors;
  cudaStream_t stream = nullptr;
  const int64_t* step = nullptr;
};
inline constexpr int64_t kAttentionWorkspace = int64_t{96} << 20;
cudaError_t AttentionDecode(const AttentionDecodeParams& p);

// *key = the largest ArgmaxKey (argmax.h) of logits[n], fp32.
struct ArgmaxParams {
  const float* logits;
  int64_t n;
  uint64_t* key;
  cudaStream_t stream = nullptr;
};
cudaError_t Argmax(const ArgmaxParams& p);

// *key = the ArgmaxKey of the logit that is drawn of logits[n], fp32: in order largest first, equal
// ones lowest id first, the first top_k (0: all); of those, weighed by exp(logit / temperature),
// the fewest that hold the share top_p; of those, the first at which the weights so far exceed the
// share `uniform`. fp64, in an order that n and top_k alone decide. The first where that is
// infinite; kNanKey when a logit is NaN.
struct SampleParams {
  const float* logits;
  int64_t n;           // 1 to kMostSampled
  double temperature;  // above 0
  int64_t top_k;
  double top_p;    // above 0, up to 1
  double uniform;  // from 0, below 1
  uint64_t* key;
  void* workspace;  // SampleWorkspace(n), aligned to 256 bytes
  int64_t workspace_bytes;
  cudaStream_t stream = nullptr;
};
inline constexpr int64_t kMostSampled = 1 << 20;
cudaError_t SampleWorkspace(int64_t n, int64_t* bytes);
cudaError_t Sample(const SampleParams& p);

}  // namespace longsight::cuda

// AttentionMass: sixteen lanes to a key, eight elements to a lane, the query heads of a KV head in
// registers; a block sums a piece, and a second kernel the pieces of a span, in their order.
#include <algorithm>

#include "cuda/attention_mass.h"
#include "cuda/bf16.cuh"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

constexpr int kThreads = 128, kLanes = 16, kSlots = kThreads / kLanes;
// Keys of a slot whose loads are under way together.
constexpr int kAtOnce = 4;
// Runs of one launch.
constexpr int64_t kMostRuns = 16;

struct MassArgs {
  const Bf16* q;
  const float* lse;
  int32_t kv_heads, group, head_size;
  float scale_log2;
  int64_t row_stride, head_stride;  // of keys, in elements
  const MassPiece* pieces;          // of this launch
  int32_t first_run;
  int64_t piece_count;  // of all
  float* partial;       // of this launch's first piece
  CachedRun runs[kMostRuns];
};

// Eight elements from `at` on.
template <bool Fp8>
__device__ void LoadKey(const void* k, int64_t at, float (&x)[8]) {
  if constexpr (Fp8) {
    const uint2 bits = *reinterpret_cast<const uint2*>(static_cast<const uint8_t*>(k) + at);
    UnpackE4M3(bits.x, x);
    UnpackE4M3(bits.y, x + 4);
  } else {
    Load8(static_cast<const Bf16*>(k) + at, x);
  }
}

// Of the heads kHeads * blockIdx.z and on of KV head blockIdx.y.
template <int kHeads, bool Fp8>
__global__ void __launch_bounds__(kThreads) PieceKernel(const __grid_constant__ MassArgs a) {
  __shared__ float sums[kSlots][kHeads];
  const MassPiece piece = a.pieces[blockIdx.x];
  const CachedRun& run = a.runs[piece.run - a.first_run];
  const int lane = threadIdx.x % kLanes, slot = threadIdx.x / kLanes;
  const int kv_head = static_cast<int>(blockIdx.y), first = kHeads * static_cast<int>(blockIdx.z);
  const bool mine = 8 * lane < a.head_size;
  float q[kHeads][8], lse2[kHeads], sum[kHeads];
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
    // Heads beyond the group repeat its last one, and are not stored.
    const int head = kv_head * a.group + min(first + h, a.group - 1);
#pragma unroll
    for (int i = 0; i < 8; ++i) q[h][i] = 0.0f;
    if (mine) Load8(a.q + static_cast<int64_t>(head) * a.head_size + 8 * lane, q[h]);
    lse2[h] = a.lse[head] * 1.44269504088896341f;
    sum[h] = 0.0f;
  }
  const int64_t offset = kv_head * a.head_stride + 8 * lane;
#pragma unroll 1
  for (int32_t begin = 0; begin < piece.count; begin += kSlots * kAtOnce) {
    float k[kAtOnce][8], scale[kAtOnce];
#pragma unroll
    for (int n = 0; n < kAtOnce; ++n) {
      const int32_t key = begin + n * kSlots + slot;
      const int64_t token = piece.first + min(key, piece.count - 1);
#pragma unroll
      for (int i = 0; i < 8; ++i) k[n][i] = 0.0f;
      if (mine) LoadKey<Fp8>(run.k, token * a.row_stride + offset, k[n]);
      scale[n] = a.scale_log2;
      if constexpr (Fp8) {
        scale[n] *= ToFloat(static_cast<const Bf16*>(run.k_scales)[token * a.kv_heads + kv_head]);
      }
    }
#pragma unroll
    for (int n = 0; n < kAtOnce; ++n) {
      const bool in = begin + n * kSlots + slot < piece.count;
#pragma unroll
      for (int h = 0; h < kHeads; ++h) {
        float dot = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; ++i) dot += q[h][i] * k[n][i];
#pragma unroll
        for (int other = kLanes / 2; other > 0; other /= 2) {
          dot += __shfl_xor_sync(0xffffffffu, dot, other);
        }
        if (in) sum[h] += exp2f(dot * scale[n] - lse2[h]);
      }
    }
  }
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
    if (lane == 0) sums[slot][h] = sum[h];
  }
  __syncthreads();
  const int h = static_cast<int>(threadIdx.x);
  if (h >= kHeads || first + h >= a.group) return;
  float total = 0.0f;
  for (int s = 0; s < kSlots; ++s) total += sums[s][h];
  const int64_t head = kv_head * a.group + first + h;
  a.partial[head * a.piece_count + blockIdx.x] = total;
}

// A thread to each head and span.
__global__ void SpanKernel(const float* partial, int64_t piece_count, const int32_t* first_of_span,
                           int64_t spans, int64_t heads, float* mass) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= heads * spans) return;
  const int64_t head = i / spans, span = i % spans;
  float sum = 0.0f;
  for (int32_t piece = first_of_span[span]; piece < first_of_span[span + 1]; ++piece) {
    sum += partial[head * piece_count + piece];
  }
  mass[i] = sum;
}

template <bool Fp8>
void LaunchPieces(const MassArgs& a, unsigned pieces, cudaStream_t stream) {
  const auto launch = [&](auto kernel, int heads) {
    const dim3 blocks(pieces, static_cast<unsigned>(a.kv_heads),
                      static_cast<unsigned>(DivideUp(a.group, heads)));
    kernel<<<blocks, kThreads, 0, stream>>>(a);
  };
  if (a.group == 1) return launch(PieceKernel<1, Fp8>, 1);
  if (a.group == 2) return launch(PieceKernel<2, Fp8>, 2);
  if (a.group <= 4) return launch(PieceKernel<4, Fp8>, 4);
  launch(PieceKernel<8, Fp8>, 8);
}

}  // namespace

cudaError_t AttentionMass(const AttentionMassParams& p) {
  const bool fp8 = p.kv_type == DType::kE4M3;
  if (p.head_size > kMaxHeadSize || p.head_size % (fp8 ? 16 : 8) != 0) return cudaErrorInvalidValue;
  if (p.spans == 0) return cudaSuccess;
  MassArgs a = {};
  a.q = static_cast<const Bf16*>(p.q);
  a.lse = p.lse;
  a.kv_heads = static_cast<int32_t>(p.kv_heads);
  a.group = static_cast<int32_t>(p.heads / p.kv_heads);
  a.head_size = static_cast<int32_t>(p.head_size);
  a.scale_log2 = p.scale * 1.44269504088896341f;
  a.row_stride = p.runs[0].row_stride;
  a.head_stride = p.runs[0].head_stride;
  a.piece_count = p.piece_count;
  for (int64_t begin = 0; begin < p.piece_count;) {
    a.first_run = p.host_pieces[begin].run;
    int64_t end = begin;
    while (end < p.piece_count && p.host_pieces[end].run < a.first_run + kMostRuns) ++end;
    const int64_t runs = std::min(kMostRuns, p.run_count - a.first_run);
    std::copy_n(p.runs + a.first_run, runs, a.runs);
    a.pieces = p.pieces + begin;
    a.partial = p.partial + begin;
    (fp8 ? LaunchPieces<true> : LaunchPieces<false>)(a, static_cast<unsigned>(end - begin),
                                                     p.stream);
    const cudaError_t error = cudaGetLastError();
    if (error != cudaSuccess) return error;
    begin = end;
  }
  SpanKernel<<<static_cast<unsigned>(DivideUp(p.heads * p.spans, kThreads)), kThreads, 0,
               p.stream>>>(p.partial, p.piece_count, p.first_of_span, p.spans, p.heads, p.mass);
  return cudaGetLastError();
}

}  // namespace longsight::cuda

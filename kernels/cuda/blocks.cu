// Block-sparse heads choose their key blocks: mean keys once, then a CTA to each row block and head
// scores every block left of it and keeps the best. As index::SelectBlocks, but for what is in by
// right: the attention kernel adds the row block's own keys itself.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "attention.h"
#include "index/blocks.h"

namespace longsight::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kBins = 2048;
// Scores of one row block lie in shared memory.
constexpr int64_t kMostBlocks = 52 * 1024;

struct BlocksArguments {
  const __nv_bfloat16* q;
  int64_t q_row_stride, q_head_stride;
  const __nv_bfloat16* k;
  int64_t k_row_stride, k_head_stride;
  int64_t first_position, rows, tokens;
  int32_t heads, group, head_size, key_blocks, row_blocks;
  int64_t wanted;
  float* means;  // [kv_heads, key_blocks, head_size]
  Lines lines;
};

// A thread to each element of a head.
__global__ void MeanKeys(const __grid_constant__ BlocksArguments p) {
  const int64_t block = blockIdx.x, kv_head = blockIdx.y;
  const int64_t begin = block * index::kKeyBlock;
  const int64_t end = index::Least(begin + index::kKeyBlock, p.tokens);
  const __nv_bfloat16* k = p.k + kv_head * p.k_head_stride + threadIdx.x;
  float sum = 0;
  for (int64_t key = begin; key < end; ++key) sum += __bfloat162float(k[key * p.k_row_stride]);
  p.means[(kv_head * p.key_blocks + block) * p.head_size + threadIdx.x] =
      sum / static_cast<float>(end - begin);
}

struct Choice {
  float mean[128];
  int32_t histogram[kBins];
  uint32_t prefix;
  int32_t rank;
};

// The sum over the row block's queries does as well as their mean: only the order counts.
__device__ void SumQueries(const BlocksArguments& p, int64_t begin, int64_t end, int64_t head,
                           float* sums) {
  for (int c = threadIdx.x; c < p.head_size; c += kThreads) {
    const __nv_bfloat16* q = p.q + head * p.q_head_stride + c;
    float sum = 0;
    for (int64_t row = begin; row < end; ++row) sum += __bfloat162float(q[row * p.q_row_stride]);
    sums[c] = sum;
  }
  __syncthreads();
}

// A warp to each block.
__device__ void ScoreBlocks(const BlocksArguments& p, int64_t head, int32_t own, const float* mean,
                            float* scores) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const float* means = p.means + head / p.group * p.key_blocks * p.head_size;
  for (int32_t block = warp; block < own; block += kThreads / 32) {
    float dot = 0;
    for (int c = lane; c < p.head_size; c += 32) {
      dot += mean[c] * means[static_cast<int64_t>(block) * p.head_size + c];
    }
    for (int other = 16; other > 0; other /= 2) dot += __shfl_xor_sync(0xffffffffu, dot, other);
    if (lane == 0) scores[block] = dot;
  }
  __syncthreads();
}

// index::DigitOfRank, by one warp: 64 digits to a lane, the highest first.
__device__ void TakeDigit(Choice& s, int low) {
  const int lane = threadIdx.x;
  int32_t of_lane = 0;
  for (int i = 0; i < kBins / 32; ++i) of_lane += s.histogram[kBins - 1 - lane * (kBins / 32) - i];
  int32_t before = of_lane;
  for (int step = 1; step < 32; step *= 2) {
    const int32_t other = __shfl_up_sync(0xffffffffu, before, step);
    if (lane >= step) before += other;
  }
  before -= of_lane;
  int32_t rank = s.rank - before;
  __syncwarp();
  if (rank < 1 || rank > of_lane) return;
  int32_t digit = kBins - 1 - lane * (kBins / 32);
  while (rank > s.histogram[digit]) rank -= s.histogram[digit--];
  s.prefix |= static_cast<uint32_t>(digit) << low;
  s.rank = rank;
}

// index::BitsOfRank of scores[1, own): left in s.prefix, and the ties in s.rank.
__device__ void FindLeast(const float* scores, int32_t own, int32_t wanted, Choice& s) {
  if (threadIdx.x == 0) {
    s.prefix = 0;
    s.rank = wanted;
  }
  uint32_t known = 0;
  for (int shift = 21; shift >= -1; shift -= 11) {
    const int low = shift < 0 ? 0 : shift;
    const uint32_t mask = shift < 0 ? 1023u : 2047u;
    for (int i = threadIdx.x; i < kBins; i += kThreads) s.histogram[i] = 0;
    __syncthreads();
    const uint32_t prefix = s.prefix;
    for (int32_t i = 1 + static_cast<int32_t>(threadIdx.x); i < own; i += kThreads) {
      const uint32_t bits = index::OrderedBits(scores[i]);
      if ((bits & known) == prefix) atomicAdd(&s.histogram[(bits >> low) & mask], 1);
    }
    __syncthreads();
    if (threadIdx.x < 32) TakeDigit(s, low);
    known |= mask << low;
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads)
    ChooseBlocksKernel(const __grid_constant__ BlocksArguments p) {
  extern __shared__ float scores[];
  __shared__ Choice s;
  const int64_t row_block = blockIdx.x, head = blockIdx.y;
  if (p.lines.heads[head].kind != static_cast<int32_t>(index::PatternKind::kBlockSparse)) return;
  const int64_t first = row_block * kSparseRows;
  const int64_t last = index::Least(first + kSparseRows, p.rows);
  const auto own = static_cast<int32_t>((p.first_position + first) / index::kKeyBlock);
  const int64_t all = index::DivideUp(p.first_position + last, index::kKeyBlock);
  const auto wanted =
      static_cast<int32_t>(index::Within(p.wanted - (all - own) - 1, 0, index::Most(0, own - 1)));
  SumQueries(p, first, last, head, s.mean);
  ScoreBlocks(p, head, own, s.mean, scores);
  if (wanted > 0) FindLeast(scores, own, wanted, s);
  if (threadIdx.x >= 32) return;
  const int lane = threadIdx.x;
  int32_t* list = p.lines.blocks + (head * p.row_blocks + row_block) * p.lines.block_capacity;
  int32_t count = 0, ties = wanted > 0 ? s.rank : 0;
  for (int32_t begin = 0; begin < own; begin += 32) {
    const int32_t block = begin + lane;
    bool in = block == 0;
    bool tie = false;
    if (block > 0 && block < own && wanted > 0) {
      const uint32_t bits = index::OrderedBits(scores[block]);
      in = bits > s.prefix;
      tie = bits == s.prefix;
    }
    const uint32_t before = (1u << lane) - 1;
    const uint32_t all_ties = __ballot_sync(0xffffffffu, tie);
    in = in || (tie && __popc(all_ties & before) < ties);
    ties -= __popc(all_ties);
    ties = ties > 0 ? ties : 0;
    const uint32_t vote = __ballot_sync(0xffffffffu, in);
    if (in) list[count + __popc(vote & before)] = block;
    count += __popc(vote);
  }
  if (lane == 0 && count < p.lines.block_capacity) list[count] = -1;
}

}  // namespace

size_t ChooseBlocksWorkspaceBytes(int64_t kv_heads, int64_t tokens, int64_t head_size) {
  return static_cast<size_t>(kv_heads * index::DivideUp(tokens, index::kKeyBlock) * head_size) *
         sizeof(float);
}

Launched ChooseBlocks(const ChooseBlocksParams& p) {
  BlocksArguments a{};
  a.key_blocks = static_cast<int32_t>(index::DivideUp(p.kv.tokens, index::kKeyBlock));
  if (p.head_size < 1 || p.head_size > 128 || p.kv_heads < 1 || p.heads % p.kv_heads != 0 ||
      p.heads > 65535) {
    return {cudaErrorInvalidValue, "choice of blocks: head sizes up to 128"};
  }
  if (a.key_blocks > kMostBlocks) {
    return {cudaErrorInvalidValue, "choice of blocks: at most 3,407,872 tokens"};
  }
  if (p.blocks > p.lines.block_capacity || p.blocks < 1) {
    return {cudaErrorInvalidValue, "choice of blocks: more than the lists hold"};
  }
  if (p.rows <= 0) return {};
  a.q = static_cast<const __nv_bfloat16*>(p.q);
  a.q_row_stride = p.q_row_stride;
  a.q_head_stride = p.q_head_stride;
  a.k = static_cast<const __nv_bfloat16*>(p.kv.k);
  a.k_row_stride = p.kv.row_stride;
  a.k_head_stride = p.kv.head_stride;
  a.first_position = p.first_position;
  a.rows = p.rows;
  a.tokens = p.kv.tokens;
  a.heads = static_cast<int32_t>(p.heads);
  a.group = static_cast<int32_t>(p.heads / p.kv_heads);
  a.head_size = static_cast<int32_t>(p.head_size);
  a.row_blocks = static_cast<int32_t>(index::DivideUp(p.rows, kSparseRows));
  a.wanted = p.blocks;
  a.means = static_cast<float*>(p.workspace);
  a.lines = p.lines;
  MeanKeys<<<dim3(static_cast<unsigned>(a.key_blocks), static_cast<unsigned>(p.kv_heads)),
             static_cast<unsigned>(p.head_size), 0, p.stream>>>(a);
  cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) return {error, "choice of blocks: mean keys"};
  const int bytes = a.key_blocks * static_cast<int>(sizeof(float));
  error =
      cudaFuncSetAttribute(ChooseBlocksKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (error != cudaSuccess) return {error, "choice of blocks: shared memory"};
  ChooseBlocksKernel<<<dim3(static_cast<unsigned>(a.row_blocks), static_cast<unsigned>(p.heads)),
                       kThreads, bytes, p.stream>>>(a);
  error = cudaGetLastError();
  return {error, error == cudaSuccess ? "" : "choice of blocks: the launch"};
}

}  // namespace longsight::cuda

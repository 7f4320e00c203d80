// Block-sparse heads choose their key blocks: mean keys and the row blocks' queries once, then the
// scores of a few heads at a time as a small matrix product, and a CTA to each row block that keeps
// the best. As index::SelectBlocks, but for what is in by right: the attention kernel adds the row
// block's own keys itself.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "attention.h"
#include "cuda/rank_bits.h"

namespace longsight::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int64_t kMostHeads = 256, kMostHeadSize = 128;
// Scores of one row block lie in shared memory.
constexpr int64_t kMostBlocks = 52 * 1024;
// Scores that are kept at a time, unless one head has more.
constexpr int64_t kBatchBytes = int64_t{64} << 20;

struct BlocksArguments {
  const __nv_bfloat16* q;
  int64_t q_row_stride, q_head_stride;
  const __nv_bfloat16* k;
  int64_t k_row_stride, k_head_stride;
  int64_t first_position, rows, tokens;
  int32_t group, head_size, key_blocks, row_blocks;
  float* means;    // [kv_heads, key_blocks, head_size]
  float* queries;  // [heads that choose, row_blocks, head_size]: sums, whose order is their means'
  float* scores;   // [heads of the batch, row_blocks, key_blocks]
  int32_t first;   // of the batch, among the heads that choose
  int16_t heads[kMostHeads];
  int32_t wanted[kMostHeads];
  Lines lines;
};

// A thread to each element of a head.
__global__ void MeanKeys(const __grid_constant__ BlocksArguments p) {
  const int64_t block = blockIdx.x, kv_head = blockIdx.y;
  const int64_t begin = block * index::kKeyBlock;
  const int64_t end = index::Least(begin + index::kKeyBlock, p.tokens);
  const __nv_bfloat16* k = p.k + kv_head * p.k_head_stride + threadIdx.x;
  float sum = 0;
#pragma unroll 16
  for (int64_t key = begin; key < end; ++key) sum += __bfloat162float(k[key * p.k_row_stride]);
  p.means[(kv_head * p.key_blocks + block) * p.head_size + threadIdx.x] =
      sum / static_cast<float>(end - begin);
}

// A CTA to each row block, a thread to each element of a head.
__global__ void SumQueries(const __grid_constant__ BlocksArguments p) {
  const int64_t row_block = blockIdx.x, chooser = blockIdx.y;
  const int64_t begin = row_block * kSparseRows;
  const int64_t end = index::Least(begin + kSparseRows, p.rows);
  const __nv_bfloat16* q = p.q + p.heads[chooser] * p.q_head_stride + threadIdx.x;
  float sum = 0;
#pragma unroll 16
  for (int64_t row = begin; row < end; ++row) sum += __bfloat162float(q[row * p.q_row_stride]);
  p.queries[(chooser * p.row_blocks + row_block) * p.head_size + threadIdx.x] = sum;
}

// Key blocks left of the row block's own.
__device__ int32_t OwnBlock(const BlocksArguments& p, int64_t row_block) {
  return static_cast<int32_t>((p.first_position + row_block * kSparseRows) / index::kKeyBlock);
}

// A tile of scores to a CTA: a warp to eight row blocks, a lane to every 32nd key block. So many
// that the products take longer than the loads from shared memory.
constexpr int kRowsOfWarp = 8, kKeysOfLane = 4;
constexpr int kTileRows = kRowsOfWarp * kWarps, kTileKeys = 32 * kKeysOfLane;
// Rows in shared memory that all lanes read at once are an odd number of 16 bytes apart.
constexpr int kTileStride = kMostHeadSize + 4;
constexpr int kTileBytes = (kTileRows + kTileKeys) * kTileStride * static_cast<int>(sizeof(float));
static_assert(kTileBytes <= 99 * 1024, "what a block may have on GPUs of compute 8.6, 8.9 and 12");

__global__ void __launch_bounds__(kThreads) ScoreBlocks(const __grid_constant__ BlocksArguments p) {
  extern __shared__ float tile[];
  float* const queries = tile;
  float* const means = tile + kTileRows * kTileStride;
  const int64_t first_key = static_cast<int64_t>(blockIdx.x) * kTileKeys;
  const int64_t first_row = static_cast<int64_t>(blockIdx.y) * kTileRows;
  const int64_t chooser = p.first + blockIdx.z;
  const int64_t last_row = index::Least(first_row + kTileRows, p.row_blocks) - 1;
  if (first_key >= OwnBlock(p, last_row)) return;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  // A warp to each row; head sizes are multiples of 4, and 128 at most.
  const auto fill = [&](float* to, const float* from, int64_t begin, int64_t end, int count) {
    if (4 * lane >= p.head_size) return;
#pragma unroll 8
    for (int row = warp; row < count; row += kWarps) {
      float4 of_lane = {0, 0, 0, 0};
      if (begin + row < end) {
        const float* const at = from + (begin + row) * p.head_size + 4 * lane;
        of_lane = *reinterpret_cast<const float4*>(at);
      }
      *reinterpret_cast<float4*>(to + row * kTileStride + 4 * lane) = of_lane;
    }
  };
  fill(queries, p.queries + chooser * p.row_blocks * p.head_size, first_row, p.row_blocks,
       kTileRows);
  const int64_t kv_head = p.heads[chooser] / p.group;
  fill(means, p.means + kv_head * p.key_blocks * p.head_size, first_key, p.key_blocks, kTileKeys);
  __syncthreads();
  const float* const mine = queries + warp * kRowsOfWarp * kTileStride;
  float sums[kRowsOfWarp][kKeysOfLane] = {};
#pragma unroll 2
  for (int c = 0; c < p.head_size; c += 4) {
    float4 k[kKeysOfLane];
#pragma unroll
    for (int j = 0; j < kKeysOfLane; ++j) {
      k[j] = *reinterpret_cast<const float4*>(means + (lane + 32 * j) * kTileStride + c);
    }
#pragma unroll
    for (int i = 0; i < kRowsOfWarp; ++i) {
      const float4 q = *reinterpret_cast<const float4*>(mine + i * kTileStride + c);
#pragma unroll
      for (int j = 0; j < kKeysOfLane; ++j) {
        sums[i][j] += q.x * k[j].x + q.y * k[j].y + q.z * k[j].z + q.w * k[j].w;
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kRowsOfWarp; ++i) {
    const int64_t row = first_row + warp * kRowsOfWarp + i;
    float* const to =
        p.scores + (blockIdx.z * static_cast<int64_t>(p.row_blocks) + row) * p.key_blocks;
#pragma unroll
    for (int j = 0; j < kKeysOfLane; ++j) {
      const int64_t key = first_key + lane + 32 * j;
      if (row < p.row_blocks && key < p.key_blocks) to[key] = sums[i][j];
    }
  }
}

// Which of 32 blocks, one to a lane, are in: those above the least, and at most `ties` of the
// blocks that score the same as it, the first ones.
struct Vote {
  uint32_t above, ties;
};
__device__ Vote VoteOn(const float* scores, int32_t block, int32_t end, bool any, uint32_t least) {
  bool above = block == 0 && end > 0, tie = false;
  if (any && block > 0 && block < end) {
    const uint32_t bits = index::OrderedBits(scores[block]);
    above = bits > least;
    tie = bits == least;
  }
  return {__ballot_sync(0xffffffffu, above), __ballot_sync(0xffffffffu, tie)};
}

__global__ void __launch_bounds__(kThreads) TakeBest(const __grid_constant__ BlocksArguments p) {
  extern __shared__ float scores[];
  __shared__ RankScratch scratch;
  __shared__ int32_t above_of[kWarps], ties_of[kWarps];  // of each warp's part of the blocks
  const int64_t row_block = blockIdx.x, head = p.heads[p.first + blockIdx.y];
  const int64_t last = index::Least((row_block + 1) * kSparseRows, p.rows);
  const int32_t own = OwnBlock(p, row_block);
  const int64_t all = index::DivideUp(p.first_position + last, index::kKeyBlock);
  const auto wanted = static_cast<int32_t>(
      index::Within(p.wanted[p.first + blockIdx.y] - (all - own) - 1, 0, index::Most(0, own - 1)));
  const float* const from =
      p.scores + (blockIdx.y * static_cast<int64_t>(p.row_blocks) + row_block) * p.key_blocks;
  for (int32_t i = threadIdx.x; i < own; i += kThreads) scores[i] = from[i];
  __syncthreads();
  const RankedBits least =
      wanted > 0 ? FindBitsOfRank(scores + 1, own - 1, wanted, scratch, ThisBlock<kThreads>())
                 : RankedBits{0, 0};
  // Each warp lists a part, 32 blocks at a time, behind what the warps before it have.
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const auto part = static_cast<int32_t>(index::DivideUp(index::DivideUp(own, kWarps), 32) * 32);
  const auto begin = static_cast<int32_t>(index::Least(warp * part, own));
  const auto end = static_cast<int32_t>(index::Least(begin + part, own));
  int32_t above = 0, ties = 0;
  for (int32_t first = begin; first < end; first += 32) {
    const Vote vote = VoteOn(scores, first + lane, end, wanted > 0, least.bits);
    above += __popc(vote.above);
    ties += __popc(vote.ties);
  }
  if (lane == 0) {
    above_of[warp] = above;
    ties_of[warp] = ties;
  }
  __syncthreads();
  int32_t ties_left = least.ties, at = 0;
  for (int w = 0; w < warp; ++w) {
    const auto taken = static_cast<int32_t>(index::Least(ties_of[w], ties_left));
    at += above_of[w] + taken;
    ties_left -= taken;
  }
  int32_t* const list = p.lines.blocks + (head * p.row_blocks + row_block) * p.lines.block_capacity;
  const uint32_t before = (1u << lane) - 1;
  for (int32_t first = begin; first < end; first += 32) {
    const Vote vote = VoteOn(scores, first + lane, end, wanted > 0, least.bits);
    const bool tie_in = (vote.ties >> lane & 1) != 0 && __popc(vote.ties & before) < ties_left;
    const bool in = (vote.above >> lane & 1) != 0 || tie_in;
    const uint32_t ins = __ballot_sync(0xffffffffu, in);
    if (in) list[at + __popc(ins & before)] = first + lane;
    at += __popc(ins);
    ties_left -= static_cast<int32_t>(index::Least(__popc(vote.ties), ties_left));
  }
  if (warp == kWarps - 1 && lane == 0 && at < p.lines.block_capacity) list[at] = -1;
}

// Everything in the workspace; with a null base it only counts.
struct BlocksLayout {
  int64_t bytes = 0, heads_at_once;
  float *means, *queries, *scores;

  BlocksLayout(int64_t heads, int64_t kv_heads, int64_t head_size, int64_t rows, int64_t tokens,
               std::byte* base) {
    const int64_t row_blocks = index::DivideUp(rows, kSparseRows);
    const int64_t key_blocks = index::DivideUp(tokens, index::kKeyBlock);
    const int64_t of_head = row_blocks * key_blocks * static_cast<int64_t>(sizeof(float));
    heads_at_once = index::Within(kBatchBytes / index::Most(1, of_head), 1, heads);
    const auto place = [&](int64_t count) {
      auto* const at = base == nullptr ? nullptr : reinterpret_cast<float*>(base + bytes);
      bytes += count * static_cast<int64_t>(sizeof(float));
      return at;
    };
    means = place(kv_heads * key_blocks * head_size);
    queries = place(heads * row_blocks * head_size);
    scores = place(heads_at_once * row_blocks * key_blocks);
  }
};

}  // namespace

size_t ChooseBlocksWorkspaceBytes(int64_t heads, int64_t kv_heads, int64_t head_size, int64_t rows,
                                  int64_t tokens) {
  return static_cast<size_t>(BlocksLayout(heads, kv_heads, head_size, rows, tokens, nullptr).bytes);
}

Launched ChooseBlocks(const ChooseBlocksParams& p) {
  BlocksArguments a{};
  a.key_blocks = static_cast<int32_t>(index::DivideUp(p.kv.tokens, index::kKeyBlock));
  if (p.head_size < 4 || p.head_size > kMostHeadSize || p.head_size % 4 != 0 || p.kv_heads < 1 ||
      p.heads % p.kv_heads != 0 || p.heads > kMostHeads) {
    return {cudaErrorInvalidValue, "choice of blocks: head sizes up to 128, and at most 256 heads"};
  }
  if (a.key_blocks > kMostBlocks) {
    return {cudaErrorInvalidValue, "choice of blocks: at most 3,407,872 tokens"};
  }
  if (p.rows <= 0) return {};
  int32_t choosers = 0;
  for (int64_t head = 0; head < p.heads; ++head) {
    if (p.blocks[head] <= 0) continue;
    if (p.blocks[head] > p.lines.block_capacity) {
      return {cudaErrorInvalidValue, "choice of blocks: more than the lists hold"};
    }
    a.heads[choosers] = static_cast<int16_t>(head);
    a.wanted[choosers++] = static_cast<int32_t>(p.blocks[head]);
  }
  if (choosers == 0) return {};
  const BlocksLayout layout(p.heads, p.kv_heads, p.head_size, p.rows, p.kv.tokens,
                            static_cast<std::byte*>(p.workspace));
  a.q = static_cast<const __nv_bfloat16*>(p.q);
  a.q_row_stride = p.q_row_stride;
  a.q_head_stride = p.q_head_stride;
  a.k = static_cast<const __nv_bfloat16*>(p.kv.k);
  a.k_row_stride = p.kv.row_stride;
  a.k_head_stride = p.kv.head_stride;
  a.first_position = p.first_position;
  a.rows = p.rows;
  a.tokens = p.kv.tokens;
  a.group = static_cast<int32_t>(p.heads / p.kv_heads);
  a.head_size = static_cast<int32_t>(p.head_size);
  a.row_blocks = static_cast<int32_t>(index::DivideUp(p.rows, kSparseRows));
  a.means = layout.means;
  a.queries = layout.queries;
  a.scores = layout.scores;
  a.lines = p.lines;
  const auto of_head = static_cast<unsigned>(p.head_size);
  const auto row_blocks = static_cast<unsigned>(a.row_blocks);
  MeanKeys<<<dim3(static_cast<unsigned>(a.key_blocks), static_cast<unsigned>(p.kv_heads)), of_head,
             0, p.stream>>>(a);
  SumQueries<<<dim3(row_blocks, static_cast<unsigned>(choosers)), of_head, 0, p.stream>>>(a);
  cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) return {error, "choice of blocks: means"};
  const int bytes = a.key_blocks * static_cast<int>(sizeof(float));
  error = cudaFuncSetAttribute(TakeBest, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (error == cudaSuccess) {
    error =
        cudaFuncSetAttribute(ScoreBlocks, cudaFuncAttributeMaxDynamicSharedMemorySize, kTileBytes);
  }
  if (error != cudaSuccess) return {error, "choice of blocks: shared memory"};
  for (a.first = 0; a.first < choosers; a.first += static_cast<int32_t>(layout.heads_at_once)) {
    const auto heads =
        static_cast<unsigned>(index::Least(layout.heads_at_once, choosers - a.first));
    ScoreBlocks<<<dim3(static_cast<unsigned>(index::DivideUp(a.key_blocks, kTileKeys)),
                       static_cast<unsigned>(index::DivideUp(a.row_blocks, kTileRows)), heads),
                  kThreads, kTileBytes, p.stream>>>(a);
    TakeBest<<<dim3(row_blocks, heads), kThreads, bytes, p.stream>>>(a);
    error = cudaGetLastError();
    if (error != cudaSuccess) return {error, "choice of blocks: the launch"};
  }
  return {};
}

}  // namespace longsight::cuda

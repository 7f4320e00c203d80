// AttentionDecode: split-KV attention on mma.sync. A block takes 16 or 64 stacked rows (row-major:
// all query heads of a token, then the next token) of one KV head and a share of the key tiles.
// With 16 rows the four warps share out a tile's keys and merge at the end; with 64 each warp has
// 16 rows of its own.
#include <algorithm>

#include "cuda/attention_merge.h"
#include "cuda/attention_rows.cuh"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

template <int HeadSize, int RowWarps>
__global__ void __launch_bounds__(kAttentionThreads)
    DecodeKernel(const __grid_constant__ DecodeArgs a) {
  constexpr int kKeyWarps = 4 / RowWarps;
  constexpr int kKeys = kTileKeys / kKeyWarps;  // of a tile, for one warp
  constexpr int kRows = 16 * RowWarps;
  extern __shared__ __align__(16) unsigned char memory[];
  Bf16* tiles = reinterpret_cast<Bf16*>(memory);  // [2 stages][K, V]
  const int warp = threadIdx.x / 32;
  const int kv_head = static_cast<int>(blockIdx.x % a.kv_heads);
  // The last rows see most: they start first.
  const int64_t row_tile = a.row_tiles - 1 - blockIdx.x / a.kv_heads % a.row_tiles;
  const int64_t split = blockIdx.x / a.kv_heads / a.row_tiles;
  const int64_t block_row = row_tile * kRows;
  const int64_t first_row = block_row + (RowWarps > 1 ? 16 * warp : 0);
  const int first_key = RowWarps > 1 ? 0 : kKeys * warp;

  const int64_t low = a.first_position + TokenOf(a, block_row);
  const int64_t last = TokenOf(a, block_row + kRows - 1);
  const int64_t high = a.first_position + (last < a.rows ? last : a.rows - 1);
  const bool windowed = a.window > 0;
  const Sight sight = {windowed ? low - a.window : -1, high, windowed ? high - a.window : -1, low};
  const int64_t all = a.table.first_tile[a.table.count];
  TileWalk walk = {all * split / a.splits, all * (split + 1) / a.splits, 0};
  const int64_t head_offset = kv_head * a.kv_head_stride;

  uint32_t q[HeadSize / 16][4];
  LoadQuery<HeadSize>(a, kv_head, first_row, q);
  WarpRows<HeadSize> rows = {};
  rows.most[0] = rows.most[1] = -INFINITY;

  const auto load = [&](int stage, const KeyTile& tile) {
    Bf16* k = tiles + 2 * stage * TileShape<HeadSize>::kElements;
    LoadTile<HeadSize>(k, k + TileShape<HeadSize>::kElements, tile, a.kv_row_stride, a.head_size);
  };
  KeyTile tile, next;
  bool more = NextTile(a.table, sight, head_offset, a.kv_row_stride, walk, tile);
  if (more) load(0, tile);
  CommitCopies();
  for (int stage = 0; more; stage ^= 1) {
    more = NextTile(a.table, sight, head_offset, a.kv_row_stride, walk, next);
    if (more) load(stage ^ 1, next);
    CommitCopies();
    WaitForCopies<1>();
    __syncthreads();
    const Bf16* k = tiles + 2 * stage * TileShape<HeadSize>::kElements;
    float scores[kKeys / 8][4];
    Scores<HeadSize, kKeys>(q, k, first_key, scores);
    const bool whole = tile.keys == kTileKeys &&
                       tile.position + kTileKeys - 1 <= sight.newest_for_all &&
                       tile.position > sight.oldest_for_all;
    if (!whole) Mask<kKeys>(a, tile, first_row, first_key, scores);
    Soften<HeadSize, kKeys>(a, rows, scores);
    AddValues<HeadSize, kKeys>(scores, k + TileShape<HeadSize>::kElements, first_key, rows);
    __syncthreads();
    tile = next;
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    rows.sum[half] += __shfl_xor_sync(0xFFFFFFFFu, rows.sum[half], 1);
    rows.sum[half] += __shfl_xor_sync(0xFFFFFFFFu, rows.sum[half], 2);
  }
  if constexpr (RowWarps > 1) {
    WriteRows<HeadSize>(a, kv_head, split, first_row, rows);
  } else {
    WaitForCopies<0>();
    __syncthreads();
    MergeWarps<HeadSize>(a, kv_head, split, first_row, rows, reinterpret_cast<float*>(memory));
  }
}

// A launch's shape, and what its instantiation needs.
struct Variant {
  void (*kernel)(DecodeArgs);
  int rows;
  int shared_bytes;
};

template <int HeadSize, int RowWarps>
Variant MakeVariant() {
  constexpr int kTiles = 4 * TileShape<HeadSize>::kElements * static_cast<int>(sizeof(Bf16));
  constexpr int kMerge = 4 * 16 * (HeadSize + 2) * static_cast<int>(sizeof(float));
  return {DecodeKernel<HeadSize, RowWarps>, 16 * RowWarps, kTiles > kMerge ? kTiles : kMerge};
}

template <int RowWarps>
Variant VariantFor(int64_t head_size) {
  if (head_size <= 32) return MakeVariant<32, RowWarps>();
  if (head_size <= 64) return MakeVariant<64, RowWarps>();
  if (head_size <= 96) return MakeVariant<96, RowWarps>();
  return MakeVariant<128, RowWarps>();
}

void FillTable(const KvRun* runs, int64_t count, RunTable& table) {
  table.count = static_cast<int>(count);
  table.first_tile[0] = 0;
  for (int i = 0; i < table.count; ++i) {
    table.runs[i] = runs[i];
    table.first_tile[i + 1] = table.first_tile[i] + DivideUp(runs[i].tokens, kTileKeys);
  }
}

}  // namespace

cudaError_t AttentionDecode(const AttentionDecodeParams& p) {
  if (p.head_size > kMaxHeadSize || p.head_size % 8 != 0) return cudaErrorInvalidValue;
  const int64_t group = p.heads / p.kv_heads;
  const Variant variant =
      p.rows * group <= 16 ? VariantFor<1>(p.head_size) : VariantFor<4>(p.head_size);
  cudaError_t error = cudaFuncSetAttribute(
      variant.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, variant.shared_bytes);
  if (error != cudaSuccess) return error;
  int resident = 0;
  error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, variant.kernel,
                                                        kAttentionThreads, variant.shared_bytes);
  if (error != cudaSuccess) return error;

  const int64_t launches = DivideUp(p.run_count, kMaxRuns);
  const int64_t slots = static_cast<int64_t>(p.multiprocessors) * resident;
  // Rows at a time: all, unless what one launch carries to the next would not fit the workspace.
  const int64_t row_bytes = PartLayout{1, p.heads, p.head_size}.bytes() + 16;
  const int64_t slice = launches > 1 ? kAttentionWorkspace / (2 * row_bytes) : p.rows;
  for (int64_t begin = 0; begin < p.rows; begin += slice) {
    const int64_t rows = begin + slice < p.rows ? slice : p.rows - begin;
    const int64_t row_tiles = DivideUp(rows * group, variant.rows);
    DecodeArgs a = {};
    a.q = static_cast<const Bf16*>(p.q) + begin * p.q_row_stride;
    a.q_row_stride = p.q_row_stride;
    a.rows = rows;
    a.heads = static_cast<int>(p.heads);
    a.kv_heads = static_cast<int>(p.kv_heads);
    a.head_size = static_cast<int>(p.head_size);
    a.group = static_cast<int>(group);
    a.first_position = p.first_position + begin;
    a.window = p.window;
    a.scale_log2 = p.scale * kLog2E;
    a.kv_row_stride = p.runs[0].row_stride;
    a.kv_head_stride = p.runs[0].head_stride;
    a.row_tiles = row_tiles;
    a.out = static_cast<Bf16*>(p.out) + begin * p.out_row_stride;
    a.out_row_stride = p.out_row_stride;
    const PartLayout layout = {rows, p.heads, p.head_size};
    a.part_stride = layout.stride();
    float* const lse = p.lse + begin * p.heads;
    float* const parts = static_cast<float*>(p.workspace);
    for (int64_t launch = 0; launch < launches; ++launch) {
      const int64_t first = launch * kMaxRuns;
      const int64_t count = first + kMaxRuns < p.run_count ? kMaxRuns : p.run_count - first;
      FillTable(p.runs + first, count, a.table);
      const int64_t tiles = a.table.first_tile[count];
      a.splits = std::min(slots / (row_tiles * p.kv_heads), tiles / 2);
      a.splits = std::min({a.splits, kAttentionWorkspace / layout.bytes() - 1, kMaxParts - 1});
      a.splits = std::max<int64_t>(1, a.splits);
      const bool direct = launches == 1 && a.splits == 1;
      // Part 0 carries what earlier launches found.
      a.parts = direct ? nullptr : parts + layout.stride();
      a.lse = direct ? lse : a.parts + layout.lse_offset();
      const auto blocks = static_cast<unsigned>(p.kv_heads * row_tiles * a.splits);
      variant.kernel<<<blocks, kAttentionThreads, variant.shared_bytes, p.stream>>>(a);
      error = cudaGetLastError();
      if (error != cudaSuccess) return error;
      if (direct) continue;
      AttentionMergeParams merge = {layout, parts, launch == 0 ? 1 : 0, a.splits + 1};
      merge.stream = p.stream;
      if (launch + 1 == launches) {
        merge.out = a.out;
        merge.out_row_stride = a.out_row_stride;
        merge.lse = lse;
      }
      error = AttentionMerge(merge);
      if (error != cudaSuccess) return error;
    }
  }
  return cudaSuccess;
}

}  // namespace longsight::cuda

// AttentionDecode: split-KV attention on mma.sync. A block takes 16 or 64 stacked rows (row-major:
// all query heads of a token, then the next token) of one KV head and a share of the key tiles.
// With 16 rows the four warps share out a tile's keys and merge at the end; with 64 each warp has
// 16 rows of its own.
#include <algorithm>

#include "cuda/attention_merge.h"
#include "cuda/attention_narrow.cuh"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

// Few rows are over sooner than their keys could be widened in shared memory.
template <int HeadSize, int RowWarps, bool Fp8>
constexpr TileForm kFormOf =
    !Fp8                                                   ? TileForm::kBf16
    : RowWarps == 1 && (HeadSize == 64 || HeadSize == 128) ? TileForm::kNarrow
                                                           : TileForm::kWidened;

template <int HeadSize, int RowWarps, bool Fp8>
__global__ void __launch_bounds__(kAttentionThreads)
    DecodeKernel(const __grid_constant__ DecodeArgs a) {
  constexpr int kKeyWarps = 4 / RowWarps;
  constexpr int kKeys = kTileKeys / kKeyWarps;  // of a tile, for one warp
  constexpr int kRows = 16 * RowWarps;
  extern __shared__ __align__(16) unsigned char memory[];
  constexpr TileForm kForm = kFormOf<HeadSize, RowWarps, Fp8>;
  constexpr bool kNarrow = kForm == TileForm::kNarrow;
  using Memory = TileMemory<HeadSize, kForm>;
  const int warp = threadIdx.x / 32;
  const int kv_head = static_cast<int>(blockIdx.x % a.kv_heads);
  // The last rows see most: they start first.
  const int64_t row_tile = a.row_tiles - 1 - blockIdx.x / a.kv_heads % a.row_tiles;
  const int64_t split = blockIdx.x / a.kv_heads / a.row_tiles;
  const int64_t block_row = row_tile * kRows;
  const int64_t first_row = block_row + (RowWarps > 1 ? 16 * warp : 0);
  const int first_key = RowWarps > 1 ? 0 : kKeys * warp;

  const int64_t last = TokenOf(a, block_row + kRows - 1);
  const int64_t first_position = a.first_position + StepOf(a.step);
  const Sight sight = {first_position + TokenOf(a, block_row),
                       first_position + (last < a.rows ? last : a.rows - 1), a.window};
  const int64_t all = a.table.first_tile[a.table.count];
  TileWalk walk = {static_cast<int>(all * split / a.splits),
                   static_cast<int>(all * (split + 1) / a.splits), 0};

  const int64_t head_offset = kv_head * a.kv_head_stride;

  uint32_t q[HeadSize / 16][4];
  if constexpr (kNarrow) {
    LoadNarrowQuery<HeadSize>(a, kv_head, first_row, q);
  } else {
    LoadQuery<HeadSize>(a, kv_head, first_row, q);
  }
  WarpRows<HeadSize> rows = {};
  rows.most[0] = rows.most[1] = -INFINITY;

  float unit = kNarrow ? 1e-30f : 1.0f;
  constexpr int kStages = Memory::kStages;
  // Of one key or value of the tile that was asked for last, when they have any.
  float scale = 0;
  // Tiles that are asked for and not yet due, the next one first.
  KeyTile asked[kStages - 1];
  bool more = true;
  int waiting = 0;
  // Asks for the next tile; what is asked for once there is none is an empty group of copies.
  const auto load = [&](int stage, KeyTile& tile) {
    more = more && NextTile(a.table, sight, walk, tile);
    if (more) {
      ++waiting;
      const CachedRun& run = a.table.runs[tile.run];
      auto* k = Memory::Stage(memory, stage);
      LoadTile<HeadSize, kForm>(k, k + Memory::kStageElements, run, tile, head_offset,
                                a.kv_row_stride, a.head_size);
      if constexpr (Fp8) scale = LoadScale(run, tile, kv_head, a.kv_heads);
    }
    CommitCopies();
  };
  // A tile's scales go where they are read once the next tile is asked for: by then they are here.
  const auto store_scale = [&](int stage) {
    if constexpr (Fp8) Memory::Scales(memory, stage)[threadIdx.x] = scale;
  };
#pragma unroll
  for (int stage = 0; stage < kStages - 1; ++stage) {
    if (stage > 0) store_scale(stage - 1);
    load(stage, asked[stage]);
  }
  for (int stage = 0; waiting > 0; stage = (stage + 1) % kStages, --waiting) {
    const KeyTile tile = asked[0];
#pragma unroll
    for (int i = 0; i < kStages - 2; ++i) asked[i] = asked[i + 1];
    store_scale((stage + kStages - 2) % kStages);
    load((stage + kStages - 1) % kStages, asked[kStages - 2]);
    WaitForCopies<kStages - 1>();
    __syncthreads();
    if constexpr (kForm == TileForm::kWidened) {
      const uint8_t* narrow = Memory::Stage(memory, stage);
      WidenTile<HeadSize>(narrow, Memory::Keys(memory, stage));
      WidenTile<HeadSize>(narrow + Memory::kStageElements, Memory::Values(memory, stage));
      __syncthreads();
    }
    float scores[kKeys / 8][4];
    const auto* const tile_k = Memory::Stage(memory, stage);
    if constexpr (kNarrow) {
      NarrowScores<HeadSize, kKeys>(q, tile_k, first_key, scores);
    } else {
      Scores<HeadSize, kKeys>(q, Memory::Keys(memory, stage), first_key, scores);
    }
    if constexpr (Fp8) ScaleColumns<kKeys>(Memory::Scales(memory, stage) + first_key, scores);
    const int64_t position = tile.position(a.table);
    const bool whole = tile.keys == kTileKeys && position + kTileKeys - 1 <= sight.first_row &&
                       position > sight.too_old_for_some();
    if (!whole) Mask<kKeys>(a, tile, first_position, first_row, first_key, scores);
    Soften<HeadSize, kKeys>(a, rows, scores);
    if constexpr (kNarrow) {
      const float* const scales = Memory::Scales(memory, stage) + kTileKeys + first_key;
      RaiseUnit<HeadSize, kKeys>(scales, unit, rows);
      ScaleColumns<kKeys>(scales, scores, 1 / unit);
      AddNarrowValues<HeadSize, kKeys>(scores, tile_k + Memory::kStageElements, first_key, rows);
    } else {
      if constexpr (Fp8)
        ScaleColumns<kKeys>(Memory::Scales(memory, stage) + kTileKeys + first_key, scores);
      AddValues<HeadSize, kKeys>(scores, Memory::Values(memory, stage), first_key, rows);
    }
    __syncthreads();
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
    MergeWarps<HeadSize, kNarrow>(a, kv_head, split, first_row, rows, unit,
                                  reinterpret_cast<float*>(memory));
  }
}

// A launch's shape, and what its instantiation needs.
struct Variant {
  void (*kernel)(DecodeArgs);
  int rows;
  int shared_bytes;
};

template <int HeadSize, int RowWarps, bool Fp8>
Variant MakeVariant() {
  constexpr int kTiles = TileMemory<HeadSize, kFormOf<HeadSize, RowWarps, Fp8>>::kBytes;
  constexpr int kMerge = 4 * 16 * (HeadSize + 2) * static_cast<int>(sizeof(float));
  return {DecodeKernel<HeadSize, RowWarps, Fp8>, 16 * RowWarps, kTiles > kMerge ? kTiles : kMerge};
}

template <int RowWarps, bool Fp8>
Variant VariantFor(int64_t head_size) {
  if (head_size <= 32) return MakeVariant<32, RowWarps, Fp8>();
  if (head_size <= 64) return MakeVariant<64, RowWarps, Fp8>();
  if (head_size <= 96) return MakeVariant<96, RowWarps, Fp8>();
  return MakeVariant<128, RowWarps, Fp8>();
}

template <bool Fp8>
Variant VariantFor(int64_t head_size, int64_t rows) {
  return rows <= 16 ? VariantFor<1, Fp8>(head_size) : VariantFor<4, Fp8>(head_size);
}

void FillTable(const CachedRun* runs, int64_t count, RunTable& table) {
  table.count = static_cast<int>(count);
  table.first_tile[0] = 0;
  for (int i = 0; i < table.count; ++i) {
    table.runs[i] = runs[i];
    table.first_tile[i + 1] =
        table.first_tile[i] + static_cast<int>(DivideUp(runs[i].tokens, kTileKeys));
  }
}

}  // namespace

cudaError_t AttentionDecode(const AttentionDecodeParams& p) {
  const bool fp8 = p.kv_type == DType::kE4M3;
  // 16 bytes at a time.
  if (p.head_size > kMaxHeadSize || p.head_size % (fp8 ? 16 : 8) != 0) return cudaErrorInvalidValue;
  const int64_t group = p.heads / p.kv_heads;
  const Variant variant = fp8 ? VariantFor<true>(p.head_size, p.rows * group)
                              : VariantFor<false>(p.head_size, p.rows * group);
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
    a.step = p.step;
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

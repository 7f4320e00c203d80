// AttentionDecode: split-KV attention on mma.sync. A block takes a KV head's stacked rows
// (row-major: all query heads of a token, then the next token) and a share of the key tiles. Up to
// 16 rows: its warps share out a tile's keys, each at its own pace, and merge at the end
// (attention_few.cuh). More: 64 of them, each warp 16 of its own, over tiles that all warps have
// brought (attention_rows.cuh).
#include <algorithm>

#include "cuda/attention_few_merge.cuh"
#include "cuda/attention_merge.h"
#include "cuda/launch.h"

namespace longsight::cuda {
namespace {

// What a block of `rows` stacked rows is to do.
struct BlockTask {
  int kv_head;
  int64_t split, first_row;
  int64_t first_position;  // of the call's first token
  int64_t head_offset;     // of the KV head, in elements of a cached token
  Sight sight;
  TileWalk walk;

  __device__ BlockTask(const DecodeArgs& a, int rows) {
    kv_head = static_cast<int>(blockIdx.x % a.kv_heads);
    // The last rows see most: they start first.
    const int64_t row_tile = a.row_tiles - 1 - blockIdx.x / a.kv_heads % a.row_tiles;
    split = blockIdx.x / a.kv_heads / a.row_tiles;
    first_row = row_tile * rows;
    first_position = a.first_position + StepOf(a.step);
    head_offset = kv_head * a.kv_head_stride;
    const int64_t last = TokenOf(a, first_row + rows - 1);
    sight = {first_position + TokenOf(a, first_row),
             first_position + (last < a.rows ? last : a.rows - 1), a.window};
    const int64_t all = a.table.first_tile[a.table.count];
    walk = {static_cast<int>(all * split / a.splits),
            static_cast<int>(all * (split + 1) / a.splits), 0};
  }

  // Every row sees every key of the tile.
  __device__ bool SeesAll(const KeyTile& tile, int64_t position) const {
    return tile.keys == kTileKeys && position + kTileKeys - 1 <= sight.first_row &&
           position > sight.too_old_for_some();
  }
};

// Blocks on a multiprocessor, at least: of bf16 fewer fit its shared memory.
template <bool Fp8, int Tiles>
constexpr int kFewBlocks = Fp8 && Tiles == 1 ? 4 : 2;

template <int HeadSize, bool Fp8, int Tiles>
__global__ void __launch_bounds__(kAttentionThreads, kFewBlocks<Fp8, Tiles>)
    FewRowsKernel(const __grid_constant__ DecodeArgs a) {
  using Shape = FewShape<HeadSize, Fp8>;
  constexpr int kStages = Shape::kStages;
  extern __shared__ __align__(16) unsigned char memory[];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int first_key = kFewKeys * warp;
  WaitForPrevious();
  BlockTask task(a, kFewColumns * Tiles);
  const auto stage_at = [&](int stage) {
    return memory + (stage * Shape::kWarps + warp) * Shape::kWarpBytes;
  };

  uint32_t q[Tiles][HeadSize / 16][2];
  LoadFewQueries<HeadSize, Fp8, Tiles>(a, task.kv_head, task.first_row, q);
  FewRows<Tiles> rows;
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      rows.token[tile][i] =
          static_cast<int>(TokenOf(a, task.first_row + kFewColumns * tile + 2 * t + i));
      rows.most[tile][i] = -INFINITY;
      rows.sum[tile][i] = 0;
    }
  }
  float out[Tiles][HeadSize / 16][4] = {};
  float unit = Fp8 ? 1e-30f : 1.0f;

  // Tiles that are asked for and not yet due, the next one first.
  KeyTile asked[kStages - 1];
  bool more = true;
  int waiting = 0;
  // Asks for the next tile; what is asked for once there is none is an empty group of copies.
  const auto load = [&](int stage, KeyTile& tile) {
    more = more && NextTile(a.table, task.sight, task.walk, tile);
    if (more) {
      ++waiting;
      LoadFew<HeadSize, Fp8>(stage_at(stage), a, tile, first_key, task.head_offset);
      if constexpr (Fp8) {
        LoadFewScales(stage_at(stage) + Shape::kScalesAt, a, tile, first_key, task.kv_head);
      }
    }
    CommitCopies();
  };
#pragma unroll
  for (int stage = 0; stage < kStages - 1; ++stage) load(stage, asked[stage]);
  const int high = ScaleHalf(a, g, task.kv_head);
  for (int stage = 0; waiting > 0; stage = stage + 1 < kStages ? stage + 1 : 0, --waiting) {
    const KeyTile tile = asked[0];
#pragma unroll
    for (int i = 0; i < kStages - 2; ++i) asked[i] = asked[i + 1];
    __syncwarp();  // all lanes have read the stage before
    load(stage > 0 ? stage - 1 : kStages - 1, asked[kStages - 2]);
    WaitForCopies<kStages - 1>();
    __syncwarp();  // what all lanes asked for is here
    const uint8_t* const here = stage_at(stage);
    float scores[Tiles][4];
    FewScores<HeadSize, Fp8, Tiles>(q, here, scores);
    float of_values[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float of_key = a.scale_log2;
      if constexpr (Fp8) {
        const uint8_t* const scales = here + Shape::kScalesAt;
        of_key *= FewScale(scales, g + 8 * half, high);
        of_values[half] = FewScale(scales, kFewKeys + g + 8 * half, high);
      }
#pragma unroll
      for (int n = 0; n < Tiles; ++n) {
        scores[n][2 * half] *= of_key;
        scores[n][2 * half + 1] *= of_key;
      }
    }
    if (!task.SeesAll(tile, tile.position(a.table))) {
      MaskFew<Tiles>(a, rows, tile, task.first_position, first_key, scores);
    }
    SoftenFew<HeadSize, Tiles>(rows, out, scores);
    if constexpr (Fp8) {
      RaiseUnit<HeadSize, Tiles>(of_values, unit, out);
      const float share = 1 / unit;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float of_value = of_values[half] * share;
#pragma unroll
        for (int n = 0; n < Tiles; ++n) {
          scores[n][2 * half] *= of_value;
          scores[n][2 * half + 1] *= of_value;
        }
      }
    }
    AddFewValues<HeadSize, Fp8, Tiles>(scores, here, out);
  }
  WaitForCopies<0>();
  __syncthreads();
  MergeFew<HeadSize, Tiles>(a, task.kv_head, task.split, task.first_row, rows, out, unit,
                            reinterpret_cast<float*>(memory));
}

constexpr int64_t kMostFewRows = 2 * kFewColumns;
constexpr int kManyRows = 64;  // of a block

template <int HeadSize, bool Fp8>
__global__ void __launch_bounds__(kAttentionThreads, 2)
    ManyRowsKernel(const __grid_constant__ DecodeArgs a) {
  extern __shared__ __align__(16) unsigned char memory[];
  using Memory = TileMemory<HeadSize, Fp8>;
  WaitForPrevious();
  BlockTask task(a, kManyRows);
  const int64_t first_row = task.first_row + 16 * (threadIdx.x / 32);
  uint32_t q[HeadSize / 16][4];
  LoadQuery<HeadSize>(a, task.kv_head, first_row, q);
  WarpRows<HeadSize> rows = {};
  rows.most[0] = rows.most[1] = -INFINITY;

  const auto load = [&](int stage, KeyTile& tile, float& scale) {
    const bool more = NextTile(a.table, task.sight, task.walk, tile);
    if (more) {
      const CachedRun& run = a.table.runs[tile.run];
      auto* k = Memory::Stage(memory, stage);
      LoadTile<HeadSize>(k, k + Memory::kStageElements, run, tile, task.head_offset,
                         a.kv_row_stride, a.head_size);
      if constexpr (Fp8) scale = LoadScale(run, tile, task.kv_head, a.kv_heads);
    }
    CommitCopies();
    return more;
  };
  KeyTile tile, next;
  float scale = 0, next_scale = 0;  // of one key or value
  bool here = load(0, tile, scale);
  for (int stage = 0; here; stage ^= 1) {
    const bool more = load(stage ^ 1, next, next_scale);
    if constexpr (Fp8) Memory::Scales(memory)[threadIdx.x] = scale;
    WaitForCopies<1>();
    __syncthreads();
    if constexpr (Fp8) {
      const uint8_t* narrow = Memory::Stage(memory, stage);
      WidenTile<HeadSize>(narrow, Memory::Keys(memory, stage));
      WidenTile<HeadSize>(narrow + Memory::kStageElements, Memory::Values(memory, stage));
      __syncthreads();
    }
    TileScores scores;
    Scores<HeadSize>(q, Memory::Keys(memory, stage), scores);
    if constexpr (Fp8) ScaleColumns(Memory::Scales(memory), scores);
    if (!task.SeesAll(tile, tile.position(a.table))) {
      Mask(a, tile, task.first_position, first_row, scores);
    }
    Soften<HeadSize>(a, rows, scores);
    if constexpr (Fp8) ScaleColumns(Memory::Scales(memory) + kTileKeys, scores);
    AddValues<HeadSize>(scores, Memory::Values(memory, stage), rows);
    __syncthreads();
    here = more;
    tile = next;
    scale = next_scale;
  }
  WriteRows<HeadSize>(a, task.kv_head, task.split, first_row, rows);
}

// A launch's shape, and what its instantiation needs.
struct Variant {
  void (*kernel)(DecodeArgs);
  int rows;
  int shared_bytes;
};

template <int HeadSize, bool Fp8, int Tiles>
Variant FewRowsVariant() {
  constexpr int kMerge = kFewMergeFloats<HeadSize, Tiles> * static_cast<int>(sizeof(float));
  return {FewRowsKernel<HeadSize, Fp8, Tiles>, kFewColumns * Tiles,
          std::max(FewShape<HeadSize, Fp8>::kBytes, kMerge)};
}

template <int HeadSize, bool Fp8>
Variant VariantFor(int64_t rows) {
  if (rows <= kFewColumns) return FewRowsVariant<HeadSize, Fp8, 1>();
  if (rows <= kMostFewRows) return FewRowsVariant<HeadSize, Fp8, 2>();
  return {ManyRowsKernel<HeadSize, Fp8>, kManyRows, TileMemory<HeadSize, Fp8>::kBytes};
}

template <bool Fp8>
Variant VariantFor(int64_t head_size, int64_t rows) {
  if (head_size <= 32) return VariantFor<32, Fp8>(rows);
  if (head_size <= 64) return VariantFor<64, Fp8>(rows);
  if (head_size <= 96) return VariantFor<96, Fp8>(rows);
  return VariantFor<128, Fp8>(rows);
}

// FewRowsKernel reads scales as words of two. A run may begin within one: at an odd token of an odd
// number of KV heads, where a window has passed what is before.
bool HasWholeWords(const AttentionDecodeParams& p) {
  return std::all_of(p.runs, p.runs + p.run_count, [](const CachedRun& run) {
    return (reinterpret_cast<uintptr_t>(run.k_scales) | reinterpret_cast<uintptr_t>(run.v_scales)) %
               4 ==
           0;
  });
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
  const bool few = !fp8 || HasWholeWords(p);
  const int64_t stacked = few ? p.rows * group : std::max(p.rows * group, kMostFewRows + 1);
  const Variant variant =
      fp8 ? VariantFor<true>(p.head_size, stacked) : VariantFor<false>(p.head_size, stacked);
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
      error = LaunchEarly(variant.kernel, blocks, kAttentionThreads,
                          static_cast<size_t>(variant.shared_bytes), p.stream, a);
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

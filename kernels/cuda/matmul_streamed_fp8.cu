// Matmul for few rows with weights in e4m3 and a scale for each output. As products of tensor
// cores, outputs down and rows of x across: a block takes 16 outputs, its warps share out their
// elements, 128 at a time, and add up what they have in the end. A warp brings 16 outputs' 128
// bytes into shared memory and needs no barrier with the others. The order of a product's inner
// dimension is free: of an output's 128 bytes a lane takes the quarter t = lane % 4, and of x the
// same quarter. x becomes f16, each row times a power of two that brings its largest element near
// 2^14: exact for what is no smaller than 2^-31 of that.
#include "cuda/e4m3.cuh"
#include "cuda/matmul_streamed.cuh"
#include "cuda/mma.cuh"

namespace longsight::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;
constexpr int kOuts = 16;
constexpr int kPart = 128;  // elements of a warp's turn
constexpr int kStages = 4;
constexpr int kStageBytes = kOuts * kPart;
constexpr int kRingBytes = kWarps * kStages * kStageBytes;
// Shared memory that x may take, as f16, where a block may have as much.
constexpr int64_t kMostBytes = 128 << 10;
// What kernels declare of it, at most.
constexpr int64_t kStaticBytes = 2048;

// Bytes for x on the current device.
cudaError_t BytesForX(int64_t* bytes) {
  int device = 0, of_block = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&of_block, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
  *bytes = index::Least(kMostBytes, of_block - kRingBytes - kStaticBytes);
  return error;
}

// Where chunk `chunk` of 16 bytes of output `out` lies in a stage: the quarters of two outputs,
// which eight lanes read at one time, in different banks.
__device__ __forceinline__ int ChunkAt(int out, int chunk) {
  return out * kPart + (chunk ^ (out & 7)) * 16;
}

__device__ __forceinline__ void LoadPart(uint8_t* stage, const MatmulParams& p, int64_t first_out,
                                         int64_t part) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < kStageBytes / 16 / 32; ++i) {
    const int out = (32 * i + lane) / 8, chunk = lane % 8;
    const int64_t at = part * kPart + 16 * chunk;
    const bool in = first_out + out < p.out && at < p.in;
    const auto* const w = static_cast<const uint8_t*>(p.w);
    CopyAsync16(stage + ChunkAt(out, chunk), w + (in ? (first_out + out) * p.in + at : 0), in);
  }
}

// x[rows, in] as f16 into `target`, rows of whole parts with zeros at the end; in a part the four
// quarters' eight elements each lie side by side, in four groups. Returns through `shrink` by what
// the sums of a row are to be multiplied.
__device__ void ConvertX(const MatmulParams& p, int64_t parts, __half* target, float* shrink) {
  __shared__ float most_of_warp[kWarps];
  for (int row = 0; row < p.rows; ++row) {
    const Bf16* const x = static_cast<const Bf16*>(p.x) + row * p.x_stride;
    float most = 0;
    for (int64_t i = threadIdx.x * 8; i < p.in; i += kThreads * 8) {
      float values[8];
      Load8(x + i, values);
#pragma unroll
      for (int j = 0; j < 8; ++j) most = fmaxf(most, fabsf(values[j]));
    }
    most = WarpMost(most);
    if (threadIdx.x % 32 == 0) most_of_warp[threadIdx.x / 32] = most;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kWarps; ++i) most = fmaxf(most, most_of_warp[i]);
    __syncthreads();
    const int exponent = RowExponent(most);
    const float factor = PowerOfTwo(-exponent);
    if (threadIdx.x == 0) shrink[row] = PowerOfTwo(exponent);
    for (int64_t i = threadIdx.x * 8; i < parts * kPart; i += kThreads * 8) {
      float values[8] = {};
      if (i < p.in) Load8(x + i, values);
      uint32_t words[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const __half2 two = __floats2half2_rn(values[2 * j] * factor, values[2 * j + 1] * factor);
        words[j] = *reinterpret_cast<const uint32_t*>(&two);
      }
      const auto eight = static_cast<int>(i % kPart) / 8, quarter = eight / 4, group = eight % 4;
      const int64_t to = (row * parts + i / kPart) * kPart + (group * 4 + quarter) * 8;
      *reinterpret_cast<uint4*>(target + to) = make_uint4(words[0], words[1], words[2], words[3]);
    }
  }
  __syncthreads();
}

__global__ void __launch_bounds__(kThreads, 6)
    StreamedFp8Kernel(const __grid_constant__ StreamedBatch batch) {
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ float shrink[kStreamedRows];
  __shared__ float sums[kWarps][kOuts][kStreamedRows];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int product = batch.ProductOf(blockIdx.x);
  const MatmulParams& p = batch.products[product];
  const int64_t first_out = static_cast<int64_t>(blockIdx.x - batch.first_block[product]) * kOuts;
  const int64_t parts = (p.in + kPart - 1) / kPart;
  uint8_t* const ring = memory + warp * kStages * kStageBytes;
  auto* const x = reinterpret_cast<__half*>(memory + kRingBytes);

  int64_t asked = warp;
  const auto load = [&](int stage) {
    if (asked < parts) LoadPart(ring + stage * kStageBytes, p, first_out, asked);
    asked += kWarps;
    CommitCopies();
  };
  // Weights are never written by a kernel before.
  for (int stage = 0; stage < kStages - 1; ++stage) load(stage);
  WaitForPrevious();
  ConvertX(p, parts, x, shrink);
  const __half* const of_lane = x + (g < p.rows ? g : 0) * parts * kPart + 8 * t;

  float sum[2][4] = {};  // of even and of odd steps: half of the products need not wait
  int stage = 0;
  for (int64_t part = warp; part < parts; part += kWarps) {
    __syncwarp();  // all lanes have read the stage before
    load(stage > 0 ? stage - 1 : kStages - 1);
    WaitForCopies<kStages - 1>();
    __syncwarp();  // what all lanes asked for is here
    const uint8_t* const here = ring + stage * kStageBytes;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint4 top = *reinterpret_cast<const uint4*>(here + ChunkAt(g, 2 * t + half));
      const uint4 low = *reinterpret_cast<const uint4*>(here + ChunkAt(g + 8, 2 * t + half));
      const uint32_t words[2][4] = {{top.x, top.y, top.z, top.w}, {low.x, low.y, low.z, low.w}};
#pragma unroll
      for (int pair = 0; pair < 2; ++pair) {
        const uint4 values =
            *reinterpret_cast<const uint4*>(of_lane + part * kPart + (2 * half + pair) * 32);
        const uint32_t b[4] = {values.x, values.y, values.z, values.w};
#pragma unroll
        for (int step = 0; step < 2; ++step) {
          const int w = 2 * pair + step;
          const uint32_t a[4] = {WidenPair(words[0][w], 0), WidenPair(words[1][w], 0),
                                 WidenPair(words[0][w], 1), WidenPair(words[1][w], 1)};
          MultiplyF16(sum[step], a, b[2 * step], b[2 * step + 1]);
        }
      }
    }
    stage = stage + 1 < kStages ? stage + 1 : 0;
  }
  // Of outputs g and g + 8, and of rows 2 t and 2 t + 1.
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int row = 2 * t + i % 2;
    if (row < p.rows) sums[warp][g + i / 2 * 8][row] = sum[0][i] + sum[1][i];
  }
  WaitForCopies<0>();
  __syncthreads();
  for (int i = threadIdx.x; i < kOuts * p.rows; i += kThreads) {
    const int out = i % kOuts, row = i / kOuts;
    if (first_out + out >= p.out) continue;
    float total = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) total += sums[w][out][row];
    Finish(p, row, first_out + out, total * shrink[row] * p.w_scales[first_out + out]);
  }
}

// Where 16-byte vectors do not fit: a warp to an output.
__global__ void __launch_bounds__(kThreads)
    PlainFp8Kernel(const __grid_constant__ StreamedBatch batch) {
  const int product = batch.ProductOf(blockIdx.x);
  const MatmulParams& p = batch.products[product];
  const int lane = threadIdx.x % 32;
  const int64_t block = blockIdx.x - batch.first_block[product];
  const int64_t out = block * kWarps + threadIdx.x / 32;
  if (out >= p.out) return;
  const uint8_t* const w = static_cast<const uint8_t*>(p.w) + out * p.in;
  for (int64_t row = 0; row < p.rows; ++row) {
    const Bf16* const x = static_cast<const Bf16*>(p.x) + row * p.x_stride;
    float sum = 0;
    for (int64_t i = lane; i < p.in; i += 32) {
      sum += ToFloat(__half(__nv_cvt_fp8_to_halfraw(w[i], __NV_E4M3))) * ToFloat(x[i]);
    }
    const float total = WarpSum(sum);
    if (lane == 0) Finish(p, row, out, total * p.w_scales[out]);
  }
}

}  // namespace

cudaError_t MatmulStreamedFp8(const MatmulParams* products, int count) {
  const MatmulParams& first = *products;
  if (first.rows > kStreamedRows) return cudaErrorInvalidValue;
  bool vector = IsVector(first.x, first.x_stride, first.in, sizeof(Bf16));
  for (int i = 0; i < count; ++i) {
    vector = vector && IsVector(products[i].w, first.in, first.in, 1);
  }
  int64_t most_bytes = 0;
  cudaError_t error = BytesForX(&most_bytes);
  if (error != cudaSuccess) return error;
  const int64_t row_bytes =
      DivideUp(first.in, kPart) * kPart * static_cast<int64_t>(sizeof(__half));
  if (!vector || row_bytes > most_bytes) {
    const StreamedBatch batch(products, count, kWarps);
    PlainFp8Kernel<<<batch.blocks, kThreads, 0, first.stream>>>(batch);
    return cudaGetLastError();
  }
  error = cudaFuncSetAttribute(StreamedFp8Kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(kRingBytes + most_bytes));
  // Rows at a time: as many as fit.
  const int64_t most = most_bytes / row_bytes;
  StreamedBatch batch(products, count, kOuts);
  for (int64_t begin = 0; begin < first.rows && error == cudaSuccess; begin += most) {
    const int64_t rows = most < first.rows - begin ? most : first.rows - begin;
    for (int i = 0; i < count; ++i) {
      const MatmulParams& p = products[i];
      const int64_t y_bytes = p.y_type == DType::kF32 ? 4 : 2;
      MatmulParams& q = batch.products[i];
      q.rows = rows;
      q.x = static_cast<const Bf16*>(p.x) + begin * p.x_stride;
      q.y = static_cast<std::byte*>(p.y) + begin * p.y_stride * y_bytes;
    }
    error = LaunchEarly(StreamedFp8Kernel, batch.blocks, kThreads,
                        static_cast<size_t>(kRingBytes + rows * row_bytes), first.stream, batch);
  }
  return error;
}

}  // namespace longsight::cuda

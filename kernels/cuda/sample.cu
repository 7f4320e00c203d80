// Draws a token from logits: puts them in order, sums their weights tile by tile, and lets one
// block find the token.
#include <cmath>
#include <cstddef>
#include <cub/device/device_radix_sort.cuh>

#include "cuda/argmax.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"
#include "cuda/sample.h"

namespace longsight::cuda {
namespace {

static_assert(kSampleTile * kSampleTiles == kMostSampled);

constexpr int kThreads = 256;
constexpr int64_t kAlignment = 256;

// Places in the workspace, in bytes.
struct Layout {
  int64_t sorted, tile_sums, sorting;
};

int64_t Aligned(int64_t bytes) { return DivideUp(bytes, kAlignment) * kAlignment; }

Layout LayOut(int64_t n) {
  const int64_t keys = Aligned(n * static_cast<int64_t>(sizeof(uint64_t)));
  const int64_t sums = Aligned(SampleTileCount(n) * static_cast<int64_t>(sizeof(double)));
  return {keys, 2 * keys, 2 * keys + sums};
}

// By the logits alone: a stable sort leaves equal ones as they come, the lowest id first.
cudaError_t Sort(void* workspace, size_t* bytes, const uint64_t* keys, uint64_t* sorted, int64_t n,
                 cudaStream_t stream) {
  return cub::DeviceRadixSort::SortKeysDescending(workspace, *bytes, keys, sorted,
                                                  static_cast<int>(n), 32, 64, stream);
}

__global__ void KeysKernel(const float* logits, int64_t n, uint64_t* keys) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < n) keys[i] = ArgmaxKey(logits[i], static_cast<uint32_t>(i));
}

__global__ void __launch_bounds__(kThreads) TileSumsKernel(SampleList list, double* tile_sums) {
  __shared__ SampleScratch scratch;
  const double sum = SumSampleTile(list, blockIdx.x, scratch, ThisBlock<kThreads>());
  if (threadIdx.x == 0) tile_sums[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads, 1)
    DrawKernel(SampleList list, const double* tile_sums, double top_p, double uniform,
               uint64_t* key) {
  __shared__ SampleScratch scratch;
  const uint64_t drawn =
      DrawSample(list, tile_sums, top_p, uniform, scratch, ThisBlock<kThreads>());
  if (threadIdx.x == 0) *key = drawn;
}

bool IsDraw(const SampleParams& p) {
  return p.n >= 1 && p.n <= kMostSampled && p.temperature > 0 && p.temperature < INFINITY &&
         p.top_k >= 0 && p.top_p > 0 && p.top_p <= 1 && p.uniform >= 0 && p.uniform < 1;
}

}  // namespace

cudaError_t SampleWorkspace(int64_t n, int64_t* bytes) {
  if (n < 1 || n > kMostSampled) return cudaErrorInvalidValue;
  size_t sorting = 0;
  const cudaError_t error = Sort(nullptr, &sorting, nullptr, nullptr, n, nullptr);
  *bytes = LayOut(n).sorting + static_cast<int64_t>(sorting);
  return error;
}

cudaError_t Sample(const SampleParams& p) {
  const Layout at = LayOut(p.n);
  if (!IsDraw(p) || p.workspace_bytes <= at.sorting) return cudaErrorInvalidValue;
  auto* const workspace = static_cast<std::byte*>(p.workspace);
  auto* const keys = reinterpret_cast<uint64_t*>(workspace);
  auto* const sorted = reinterpret_cast<uint64_t*>(workspace + at.sorted);
  auto* const tile_sums = reinterpret_cast<double*>(workspace + at.tile_sums);
  KeysKernel<<<static_cast<unsigned>(DivideUp(p.n, kThreads)), kThreads, 0, p.stream>>>(p.logits,
                                                                                        p.n, keys);
  cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) return error;
  auto sorting = static_cast<size_t>(p.workspace_bytes - at.sorting);
  error = Sort(workspace + at.sorting, &sorting, keys, sorted, p.n, p.stream);
  if (error != cudaSuccess) return error;
  const SampleList list = {sorted, p.top_k == 0 ? p.n : index::Least(p.top_k, p.n), p.temperature};
  TileSumsKernel<<<static_cast<unsigned>(SampleTileCount(list.count)), kThreads, 0, p.stream>>>(
      list, tile_sums);
  error = cudaGetLastError();
  if (error != cudaSuccess) return error;
  DrawKernel<<<1, kThreads, 0, p.stream>>>(list, tile_sums, p.top_p, p.uniform, p.key);
  return cudaGetLastError();
}

}  // namespace longsight::cuda

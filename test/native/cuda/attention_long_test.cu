// Attention at 1,048,577 tokens, where K alone is more than 2^31 bytes: sampled rows against plain
// fp64 sums on the device. Skipped without the memory for it.
#include <cuda_bf16.h>

#include <cmath>

#include "../kernels/check.h"
#include "cuda/attention.h"
#include "device_array.h"
#include "index/cover.h"

namespace longsight::test {
namespace {

constexpr int64_t kTokens = 1'048'577, kRows = 200, kHeads = 8, kSize = 128;
constexpr int64_t kRowStride = kHeads * kSize;
constexpr int64_t kSampled = 12;
constexpr float kScale = 0.08838834764f;

__global__ void FillRandom(__nv_bfloat16* values, int64_t count, uint64_t seed) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride) {
    uint64_t x = (static_cast<uint64_t>(i) + seed) * 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
    values[i] = __float2bfloat16(static_cast<float>(x >> 40) * 0x1p-22f - 2.0f);
  }
}

constexpr int kWarps = 8, kOfLane = kSize / 32;

// A CTA to each sampled row and head, a warp to each key. Scores are small enough for plain sums.
// kept[heads][row blocks][tokens], or null: all. out[sampled, heads, head_size],
// lse[sampled, heads].
__global__ void SumRow(const __nv_bfloat16* q, const __nv_bfloat16* k, const __nv_bfloat16* v,
                       const int32_t* rows, const uint8_t* kept, double* out, double* lse) {
  __shared__ double of_warps[kWarps][kSize + 1];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64_t row = rows[blockIdx.x], head = blockIdx.y;
  const int64_t blocks = (kRows + cuda::kSparseRows - 1) / cuda::kSparseRows;
  const int64_t last = kTokens - kRows + row;
  const uint8_t* of_block =
      kept == nullptr ? nullptr : kept + (head * blocks + row / cuda::kSparseRows) * kTokens;
  const int64_t first = head * kSize + lane * kOfLane;
  double query[kOfLane], own[kOfLane] = {}, sum = 0;
#pragma unroll
  for (int c = 0; c < kOfLane; ++c) {
    query[c] = static_cast<double>(__bfloat162float(q[row * kRowStride + first + c])) *
               static_cast<double>(kScale);
  }
  for (int64_t key = warp; key <= last; key += kWarps) {
    if (of_block != nullptr && of_block[key] == 0) continue;
    double score = 0;
#pragma unroll
    for (int c = 0; c < kOfLane; ++c) {
      score += query[c] * static_cast<double>(__bfloat162float(k[key * kRowStride + first + c]));
    }
    for (int other = 16; other > 0; other /= 2) {
      score += __shfl_xor_sync(0xffffffffu, score, other);
    }
    const double weight = exp(score);
    sum += weight;
#pragma unroll
    for (int c = 0; c < kOfLane; ++c) {
      own[c] += weight * static_cast<double>(__bfloat162float(v[key * kRowStride + first + c]));
    }
  }
#pragma unroll
  for (int c = 0; c < kOfLane; ++c) of_warps[warp][lane * kOfLane + c] = own[c];
  if (lane == 0) of_warps[warp][kSize] = sum;
  __syncthreads();
  double all = 0, value = 0;
  for (int w = 0; w < kWarps; ++w) {
    all += of_warps[w][kSize];
    if (threadIdx.x < kSize) value += of_warps[w][threadIdx.x];
  }
  const int64_t at = blockIdx.x * kHeads + head;
  if (threadIdx.x < kSize) out[at * kSize + threadIdx.x] = value / all;
  if (threadIdx.x == 0) lse[at] = log(all);
}

struct Inputs {
  DeviceArray<__nv_bfloat16> q{kRows * kRowStride}, k{kTokens * kRowStride},
      v{kTokens * kRowStride};
  DeviceArray<uint16_t> out{kRows * kRowStride};
  DeviceArray<float> lse{kRows * kHeads};
  DeviceArray<int32_t> next_task{1};
  std::vector<int32_t> rows;

  explicit Inputs(Random& random) {
    FillRandom<<<1024, 256>>>(q.data(), kRows * kRowStride, 1);
    FillRandom<<<1024, 256>>>(k.data(), kTokens * kRowStride, 1ull << 40);
    FillRandom<<<1024, 256>>>(v.data(), kTokens * kRowStride, 1ull << 50);
    Cuda(cudaDeviceSynchronize(), "random inputs");
    rows = {0, 127, 128, static_cast<int32_t>(kRows - 1)};
    while (static_cast<int64_t>(rows.size()) < kSampled) {
      rows.push_back(static_cast<int32_t>(random.Integer(0, kRows - 1)));
    }
  }

  template <class P>
  void Describe(P& p) {
    p.q = q.data();
    p.q_row_stride = p.out_row_stride = kRowStride;
    p.q_head_stride = p.out_head_stride = kSize;
    p.rows = kRows;
    p.heads = p.kv_heads = kHeads;
    p.head_size = kSize;
    p.first_position = kTokens - kRows;
    p.scale = kScale;
    p.kv = {k.data(), v.data(), kRowStride, kSize, kTokens, 0};
    p.out = out.data();
    p.lse = lse.data();
    p.next_task = next_task.data();
  }

  void Compare(const uint8_t* kept, const std::string& what) {
    DeviceArray<int32_t> sampled(rows);
    DeviceArray<double> expected_out(kSampled * kRowStride), expected_lse(kSampled * kHeads);
    SumRow<<<dim3(kSampled, kHeads), 32 * kWarps>>>(q.data(), k.data(), v.data(), sampled.data(),
                                                    kept, expected_out.data(), expected_lse.data());
    Cuda(cudaDeviceSynchronize(), what.c_str());
    const std::vector<uint16_t> all = out.Download();
    const std::vector<float> all_lse = lse.Download();
    std::vector<float> values, lses;
    for (const int32_t row : rows) {
      for (int64_t i = 0; i < kRowStride; ++i) {
        values.push_back(FromBf16(all[static_cast<size_t>(row * kRowStride + i)]));
      }
      for (int64_t head = 0; head < kHeads; ++head) {
        lses.push_back(all_lse[static_cast<size_t>(row * kHeads + head)]);
      }
    }
    // A mean over many keys is small, and so is what may be missing of it.
    CheckClose(values, expected_out.Download(), 2e-4, 8e-3, what + ": out");
    CheckClose(lses, expected_lse.Download(), 2e-4, 1e-5, what + ": lse");
  }
};

void Dense(Inputs& inputs) {
  cuda::PrefillParams p{};
  inputs.Describe(p);
  const cuda::Launched launched = cuda::PrefillAttention(p);
  Check(launched.ok(), std::string("dense: ") + launched.what);
  inputs.Compare(nullptr, "dense");
}

void Sparse(Inputs& inputs, Random& random) {
  constexpr int64_t kColumns = 2000, kBands = 300;
  const int64_t row_blocks = (kRows + cuda::kSparseRows - 1) / cuda::kSparseRows;
  std::vector<cuda::HeadLines> heads;
  std::vector<int32_t> columns, order;
  std::vector<cuda::Band> bands;
  std::vector<uint8_t> kept(static_cast<size_t>(kHeads * row_blocks * kTokens));
  for (int64_t head = 0; head < kHeads; ++head) {
    order.push_back(static_cast<int32_t>(head));
    heads.push_back(
        {static_cast<int32_t>(index::PatternKind::kVerticalSlash), 30, kColumns, kBands});
    std::vector<index::Range> runs = {{0, 30}}, spans;
    int32_t key = 30;
    for (int64_t i = 0; i < kColumns; ++i) {
      key += static_cast<int32_t>(random.Integer(1, 1000));
      columns.push_back(key);
      runs.push_back({key, key + 1});
    }
    int32_t offset = 0;
    for (int64_t i = 0; i < kBands; ++i) {
      const auto width = static_cast<int32_t>(random.Integer(1, 90));
      bands.push_back({offset, offset + width});
      spans.push_back({offset, offset + width});
      offset += width + static_cast<int32_t>(random.Integer(1, 6900));
    }
    for (int64_t block = 0; block < row_blocks; ++block) {
      const int64_t begin = kTokens - kRows + block * cuda::kSparseRows;
      index::CoverWalk walk =
          index::StartCover({spans.data(), kBands, runs.data(), static_cast<int64_t>(runs.size())},
                            begin, std::min(begin + cuda::kSparseRows, kTokens));
      for (index::Range run; index::NextCovered(walk, &run);) {
        for (int64_t at = run.begin; at < run.end; ++at) {
          kept[static_cast<size_t>((head * row_blocks + block) * kTokens + at)] = 1;
        }
      }
    }
  }
  DeviceArray<cuda::HeadLines> device_heads(heads);
  DeviceArray<int32_t> device_columns(columns), device_order(order);
  DeviceArray<cuda::Band> device_bands(bands);
  DeviceArray<uint8_t> device_kept(kept);
  cuda::SparsePrefillParams p{};
  inputs.Describe(p);
  p.lines = {
      device_heads.data(), device_columns.data(), kColumns, device_bands.data(), kBands, nullptr, 0,
      device_order.data()};
  const cuda::Launched launched = cuda::SparsePrefillAttention(p);
  Check(launched.ok(), std::string("sparse: ") + launched.what);
  inputs.Compare(device_kept.data(), "sparse");
}

// The probe's log-sum-exps are those of dense attention, and its sums lose nothing.
void Probed(Inputs& inputs) {
  cuda::PrefillParams dense{};
  inputs.Describe(dense);
  Check(cuda::PrefillAttention(dense).ok(), "dense, for the probe");
  const int64_t bands = index::DivideUp(kTokens, index::kBandOffsets);
  DeviceArray<float> columns(kHeads * kTokens), band_sums(kHeads * bands);
  DeviceArray<float> lse(kHeads * index::kProbeRows);
  DeviceArray<char> workspace(cuda::ProbeWorkspaceBytes(kHeads));
  const cuda::Launched launched =
      cuda::Probe({inputs.q.data() + (kRows - index::kProbeRows) * kRowStride, kRowStride, kSize,
                   index::kProbeRows, kHeads, kHeads, kSize, kScale, dense.kv, columns.data(),
                   band_sums.data(), lse.data(), workspace.data(), nullptr});
  Check(launched.ok(), std::string("probe: ") + launched.what);
  Cuda(cudaDeviceSynchronize(), "probe");
  const std::vector<float> all_lse = inputs.lse.Download(), probed = lse.Download();
  const std::vector<float> all_columns = columns.Download(), all_bands = band_sums.Download();
  for (int64_t head = 0; head < kHeads; ++head) {
    double column_sum = 0, first_sum = 0, band_sum = 0;
    for (int64_t key = 0; key < kTokens; ++key) {
      const double sum =
          static_cast<double>(all_columns[static_cast<size_t>(head * kTokens + key)]);
      column_sum += sum;
      if (key < index::kFirstColumns) first_sum += sum;
    }
    for (int64_t band = 0; band < bands; ++band) {
      band_sum += static_cast<double>(all_bands[static_cast<size_t>(head * bands + band)]);
    }
    Check(std::fabs(column_sum - 64) < 1e-2, "the columns hold all attention");
    Check(std::fabs(band_sum + first_sum - 64) < 1e-2, "the bands hold all but the first columns'");
    for (int64_t row = 0; row < index::kProbeRows; ++row) {
      const auto at = static_cast<size_t>((kRows - index::kProbeRows + row) * kHeads + head);
      const float difference =
          probed[static_cast<size_t>(head * index::kProbeRows + row)] - all_lse[at];
      Check(std::fabs(difference) < 2e-4f, "the probe's log-sum-exp");
    }
  }
}

int Run() {
  size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess || free < size_t{6} << 30) {
    std::printf("skipped: no GPU with 6 GiB free\n");
    return 77;
  }
  Random random;
  Inputs inputs(random);
  Dense(inputs);
  Sparse(inputs, random);
  Probed(inputs);
  return Result("attention_long_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

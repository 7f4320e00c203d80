// longsight-bench-cuda-attention: prefill attention on the GPU, dense and sparse, in TFLOP/s on the
// pairs that are computed: causal pairs for dense, covered ones for sparse.
//   variants          dense configurations side by side
//   dense             the dense kernel at several lengths
//   sparse            lines that were drawn, clustered and scattered; A-shapes, key blocks
//   scattered         the last of these alone, for a profiler
//   blocks            block-sparse heads alone
#include <cstring>
#include <random>
#include <string>

#include "cuda/attention_launch.cuh"
#include "cuda_layer.cuh"

namespace longsight::bench {
namespace {

using cuda::PrefillConfig;

template <class C>
void DenseVariant(const char* name, Layer& layer) {
  cuda::PrefillParams p{};
  layer.Describe(p);
  cuda::Device device{};
  Cuda(cuda::CurrentDevice(&device), "device");
  const double pairs = layer.DensePairs();
  const double ms = MedianMs(RunsFor(pairs), [&] {
    cuda::PrefillArguments a = cuda::ArgumentsOf(p);
    Must(cuda::LaunchHopper<C>(p, a, device));
  });
  std::printf("dense %-28s %8lld tokens %7lld rows %10.3f ms %7.1f TFLOP/s\n", name,
              static_cast<long long>(layer.tokens), static_cast<long long>(layer.rows), ms,
              Tflops(pairs, ms));
  std::fflush(stdout);
}

void Variants() {
  for (const int64_t tokens : {16384, 32768, 131072}) {
    Layer layer(tokens, tokens);
    DenseVariant<PrefillConfig<128, 128, 2, false, true>>("128 keys, 2 stages, turns", layer);
    DenseVariant<PrefillConfig<128, 128, 2, false, false>>("128 keys, 2 stages", layer);
    DenseVariant<PrefillConfig<128, 160, 2, false, true>>("160 keys, 2 stages, turns", layer);
    DenseVariant<PrefillConfig<128, 176, 2, false, true>>("176 keys, 2 stages, turns", layer);
    DenseVariant<PrefillConfig<128, 176, 2, false, false>>("176 keys, 2 stages", layer);
  }
}

void Dense(Layer& layer) {
  cuda::PrefillParams p{};
  layer.Describe(p);
  const double pairs = layer.DensePairs();
  const double ms = MedianMs(RunsFor(pairs), [&] { Must(cuda::PrefillAttention(p)); });
  std::printf("dense %-28s %8lld tokens %7lld rows %10.3f ms %7.1f TFLOP/s\n", "",
              static_cast<long long>(layer.tokens), static_cast<long long>(layer.rows), ms,
              Tflops(pairs, ms));
  std::fflush(stdout);
}

// Every head's lines: 30 first keys, 1,000 columns, the nearest offsets, and bands of `width`
// offsets up to `share` of the causal pairs.
struct DrawnLines {
  std::vector<cuda::HeadLines> heads;
  std::vector<int32_t> columns, order;
  std::vector<cuda::Band> bands;
  int64_t column_capacity = 1000, band_capacity = 0;
  double pairs = 0;

  DrawnLines(int64_t tokens, int64_t rows, int64_t width, double share, std::mt19937& random) {
    const int64_t cost = width + cuda::kSparseRows - 1;
    const double keys = share * static_cast<double>(tokens);
    band_capacity = std::max<int64_t>(2, static_cast<int64_t>((keys - 1300) / cost) + 1);
    for (int32_t head = 0; head < kHeads; ++head) {
      order.push_back(head);
      std::vector<int32_t> own(static_cast<size_t>(column_capacity));
      for (int32_t& key : own) key = static_cast<int32_t>(30 + random() % (tokens - 200));
      std::sort(own.begin(), own.end());
      own.erase(std::unique(own.begin(), own.end()), own.end());
      std::vector<index::Range> runs = {{0, 30}}, spans;
      for (const int32_t key : own) {
        if (key <= runs.back().end) {
          runs.back().end = std::max<int64_t>(runs.back().end, key + 1);
        } else {
          runs.push_back({key, key + 1});
        }
      }
      std::vector<int32_t> starts;
      for (int64_t i = 1; i < band_capacity; ++i) {
        starts.push_back(static_cast<int32_t>(random() % (tokens / 16) * 16 + 112));
      }
      std::sort(starts.begin(), starts.end());
      spans.push_back({0, 100});
      for (const int32_t start : starts) {
        if (start <= spans.back().end) {
          spans.back().end = std::max<int64_t>(spans.back().end, start + width);
        } else {
          spans.push_back({start, start + width});
        }
      }
      heads.push_back({static_cast<int32_t>(index::PatternKind::kVerticalSlash), 30,
                       static_cast<int32_t>(own.size()), static_cast<int32_t>(spans.size())});
      own.resize(static_cast<size_t>(column_capacity));
      columns.insert(columns.end(), own.begin(), own.end());
      for (int64_t i = 0; i < band_capacity; ++i) {
        const index::Range span =
            i < static_cast<int64_t>(spans.size()) ? spans[i] : index::Range{};
        bands.push_back({static_cast<int32_t>(span.begin), static_cast<int32_t>(span.end)});
      }
      const index::Lines lines = {spans.data(), static_cast<int64_t>(spans.size()), runs.data(),
                                  static_cast<int64_t>(runs.size())};
      pairs += index::CoveredArea(lines, tokens - rows, rows, cuda::kSparseRows, 256);
    }
  }
};

void Sparse(Layer& layer, const char* name, int64_t width, double share) {
  std::mt19937 random(7);
  const DrawnLines drawn(layer.tokens, layer.rows, width, share, random);
  DeviceArray<cuda::HeadLines> heads(drawn.heads);
  DeviceArray<int32_t> columns(drawn.columns), order(drawn.order);
  DeviceArray<cuda::Band> bands(drawn.bands);
  cuda::SparsePrefillParams p{};
  layer.Describe(p);
  p.lines = {heads.data(),
             columns.data(),
             drawn.column_capacity,
             bands.data(),
             drawn.band_capacity,
             nullptr,
             0,
             order.data()};
  const double ms = MedianMs(RunsFor(drawn.pairs), [&] { Must(cuda::SparsePrefillAttention(p)); });
  std::printf("sparse %-27s %8lld tokens %7lld rows %10.3f ms %7.1f TFLOP/s, %.1f %% covered\n",
              name, static_cast<long long>(layer.tokens), static_cast<long long>(layer.rows), ms,
              Tflops(drawn.pairs, ms), 100 * drawn.pairs / layer.DensePairs());
  std::fflush(stdout);
}

// Dense heads and A-shapes through the sparse kernel.
void SparseShapes(Layer& layer, const char* name, index::PatternKind kind, int64_t first,
                  int64_t last) {
  const std::vector<cuda::HeadLines> of_head(
      kHeads, {static_cast<int32_t>(kind), static_cast<int32_t>(first), 0, 1});
  std::vector<int32_t> in_order;
  for (int32_t i = 0; i < kHeads; ++i) in_order.push_back(i);
  const std::vector<cuda::Band> near(kHeads, {0, static_cast<int32_t>(last)});
  DeviceArray<cuda::HeadLines> heads(of_head);
  DeviceArray<int32_t> order(in_order), columns(1);
  DeviceArray<cuda::Band> bands(near);
  cuda::SparsePrefillParams p{};
  layer.Describe(p);
  p.lines = {heads.data(), columns.data(), 0, bands.data(), 1, nullptr, 0, order.data()};
  double pairs = layer.DensePairs();
  if (kind != index::PatternKind::kDense) {
    index::Range span, run;
    const index::Lines lines = index::AShapeLines({kind, first, last}, &span, &run);
    pairs = kHeads * index::CoveredArea(lines, layer.tokens - layer.rows, layer.rows,
                                        cuda::kSparseRows, 1 << 20);
  }
  const double ms = MedianMs(RunsFor(pairs), [&] { Must(cuda::SparsePrefillAttention(p)); });
  std::printf("sparse %-27s %8lld tokens %7lld rows %10.3f ms %7.1f TFLOP/s\n", name,
              static_cast<long long>(layer.tokens), static_cast<long long>(layer.rows), ms,
              Tflops(pairs, ms));
  std::fflush(stdout);
}

// The best `wanted` key blocks of every row block, as they are chosen, and the choice by itself.
void BlockSparse(Layer& layer, const char* keys, int64_t wanted) {
  const int64_t row_blocks = index::DivideUp(layer.rows, cuda::kSparseRows);
  const std::vector<cuda::HeadLines> of_head(
      kHeads, {static_cast<int32_t>(index::PatternKind::kBlockSparse), 0, 0, 0});
  std::vector<int32_t> in_order;
  for (int32_t i = 0; i < kHeads; ++i) in_order.push_back(i);
  DeviceArray<cuda::HeadLines> heads(of_head);
  DeviceArray<int32_t> order(in_order), blocks(kHeads * row_blocks * wanted);
  DeviceArray<char> workspace(static_cast<int64_t>(
      cuda::ChooseBlocksWorkspaceBytes(kHeads, kKvHeads, kHeadSize, layer.rows, layer.tokens)));
  cuda::SparsePrefillParams p{};
  layer.Describe(p);
  p.lines = {heads.data(), nullptr, 0, nullptr, 0, blocks.data(), wanted, order.data()};
  const std::vector<int64_t> of_heads(kHeads, wanted);
  const cuda::ChooseBlocksParams choice = {p.q,         p.q_row_stride,   p.q_head_stride,
                                           p.rows,      p.heads,          p.kv_heads,
                                           p.head_size, p.first_position, p.kv,
                                           p.lines,     of_heads.data(),  workspace.data(),
                                           nullptr};
  const double choice_ms = MedianMs(5, [&] { Must(cuda::ChooseBlocks(choice)); });
  double pairs = 0;
  for (int64_t row = 0; row < layer.rows; row += cuda::kSparseRows) {
    const int64_t keys = layer.tokens - layer.rows + row + cuda::kSparseRows;
    pairs +=
        static_cast<double>(kHeads * cuda::kSparseRows * std::min(keys, wanted * index::kKeyBlock));
  }
  const double ms = MedianMs(RunsFor(pairs), [&] { Must(cuda::SparsePrefillAttention(p)); });
  std::printf(
      "sparse %lld blocks, %-15s %8lld tokens %7lld rows %10.3f ms %7.1f TFLOP/s, "
      "%.1f %% covered, choice %.3f ms (%.1f %% of it)\n",
      static_cast<long long>(wanted), keys, static_cast<long long>(layer.tokens),
      static_cast<long long>(layer.rows), ms, Tflops(pairs, ms), 100 * pairs / layer.DensePairs(),
      choice_ms, 100 * choice_ms / ms);
  std::fflush(stdout);
}

int Main(const std::string& what, int64_t most) {
  if (what == "variants") Variants();
  if (what == "dense") {
    for (int64_t tokens = 8192; tokens <= most; tokens *= 2) {
      Layer layer(tokens, tokens);
      Dense(layer);
    }
    Layer chunk(262144, 16384);
    Dense(chunk);
  }
  if (what == "scattered") {
    Layer layer(most, most);
    Sparse(layer, "scattered (16 offsets)", 16, 0.055);
  }
  if (what == "blocks") {
    Layer layer(most, most);
    BlockSparse(layer, "random", 100);
    PlantStructure(layer);
    BlockSparse(layer, "planted", 100);
  }
  if (what == "sparse") {
    for (int64_t tokens = 131072; tokens <= most; tokens *= 2) {
      Layer layer(tokens, tokens);
      Sparse(layer, "clustered (512 offsets)", 512, 0.055);
      Sparse(layer, "clustered (128 offsets)", 128, 0.055);
      Sparse(layer, "scattered (16 offsets)", 16, 0.055);
      SparseShapes(layer, "A-shape (1024, 4096)", index::PatternKind::kAShape, 1024, 4096);
      if (tokens == 131072) SparseShapes(layer, "dense heads", index::PatternKind::kDense, 0, 1);
      BlockSparse(layer, "random", 100);
      PlantStructure(layer);
      BlockSparse(layer, "planted", 100);
    }
  }
  return 0;
}

}  // namespace
}  // namespace longsight::bench

int main(int count, char** arguments) {
  return longsight::bench::Main(count > 1 ? arguments[1] : "dense",
                                count > 2 ? std::atoll(arguments[2]) : 131072);
}

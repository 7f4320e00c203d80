// What the CUDA sampling kernels share with the host against the oracle: as one thread, and as some
// that meet at a barrier, as a block's do (where ThreadSanitizer can look on). No GPU, no CUDA.
#include "cuda/sample.h"

#include <memory>

#include "host_crew.h"
#include "sample_oracle.h"

namespace longsight::test {
namespace {

std::vector<uint64_t> SortedKeys(const std::vector<float>& logits) {
  std::vector<uint64_t> keys;
  for (const float logit : logits) {
    keys.push_back(cuda::ArgmaxKey(logit, static_cast<uint32_t>(keys.size())));
  }
  std::sort(keys.begin(), keys.end(), std::greater<>());
  return keys;
}

DrawToken DrawsOnHost(const std::vector<float>& logits) {
  const std::vector<uint64_t> keys = SortedKeys(logits);
  const auto scratch = std::make_shared<cuda::SampleScratch>();
  return [keys, scratch](const DrawCase& draw) -> size_t {
    const auto n = static_cast<int64_t>(keys.size());
    const cuda::SampleList list = {keys.data(), draw.top_k == 0 ? n : std::min(draw.top_k, n),
                                   draw.temperature};
    std::vector<double> tiles;
    for (int64_t tile = 0; tile < cuda::SampleTileCount(list.count); ++tile) {
      tiles.push_back(cuda::SumSampleTile(list, tile, *scratch, cuda::OneThread{}));
    }
    const uint64_t key =
        cuda::DrawSample(list, tiles.data(), draw.top_p, draw.uniform, *scratch, cuda::OneThread{});
    return key == cuda::kNanKey ? kDrewNan : cuda::ArgmaxId(key);
  };
}

// Every thread of a crew draws the very token that one thread draws.
void DrawTogether(Random& random) {
  constexpr int kThreads = 5;
  for (const int64_t n : {1, 40, 1024, 5000}) {
    const std::vector<float> logits = random.Floats(n, 6.0f);
    const std::vector<uint64_t> keys = SortedKeys(logits);
    const DrawToken alone = DrawsOnHost(logits);
    for (const DrawCase& draw :
         {DrawCase{1, 0, 1, 0.3}, DrawCase{0.7, 0, 0.9, 0.999}, DrawCase{2, 30, 0.5, 0}}) {
      const cuda::SampleList list = {keys.data(), draw.top_k == 0 ? n : std::min(draw.top_k, n),
                                     draw.temperature};
      cuda::SampleScratch scratch;
      std::vector<double> tiles(static_cast<size_t>(cuda::SampleTileCount(list.count)));
      std::vector<uint64_t> drawn(kThreads);
      Together(kThreads, [&](const HostThreads& crew) {
        for (size_t tile = 0; tile < tiles.size(); ++tile) {
          const double sum = cuda::SumSampleTile(list, static_cast<int64_t>(tile), scratch, crew);
          if (crew.thread == 0) tiles[tile] = sum;
          crew.Meet();  // another block on the device
        }
        drawn[static_cast<size_t>(crew.thread)] =
            cuda::DrawSample(list, tiles.data(), draw.top_p, draw.uniform, scratch, crew);
      });
      for (const uint64_t key : drawn) Check(cuda::ArgmaxId(key) == alone(draw), "drawn together");
    }
  }
}

// Each id as often as its weight says, where none of it is near a boundary: 1000 draws of eight.
void Shares() {
  std::vector<float> logits;
  for (int i = 1; i <= 8; ++i) logits.push_back(static_cast<float>(std::log(i)));
  const DrawToken draw = DrawsOnHost(logits);
  std::vector<int> counts(8);
  for (int i = 0; i < 3600; ++i) ++counts[draw({1, 0, 1, (i + 0.5) / 3600})];
  for (int i = 0; i < 8; ++i) Check(counts[static_cast<size_t>(i)] == 100 * (i + 1), "shares");
}

void Logits() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float logit : {-kInfinity, -3e38f, -1.5f, -1e-40f, 0.0f, 1e-40f, 2.25f, kInfinity}) {
    Check(cuda::ArgmaxLogit(cuda::ArgmaxKey(logit, 7)) == logit, "a key has its logit");
  }
  Check(std::isnan(cuda::ArgmaxLogit(cuda::kNanKey)), "the key of NaN is NaN");
}

}  // namespace
}  // namespace longsight::test

int main() {
  using namespace longsight::test;
  Random random;
  Logits();
  Shares();
  DrawTogether(random);
  TestAllDraws(random, DrawsOnHost);
  return Result("sample_test");
}

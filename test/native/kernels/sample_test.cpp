// What the CUDA sampling kernels share with the host, as one thread, against the oracle. No GPU, no
// CUDA.
#include "cuda/sample.h"

#include <memory>

#include "sample_oracle.h"

namespace longsight::test {
namespace {

DrawToken DrawsOnHost(const std::vector<float>& logits) {
  std::vector<uint64_t> keys;
  for (const float logit : logits) {
    keys.push_back(cuda::ArgmaxKey(logit, static_cast<uint32_t>(keys.size())));
  }
  std::sort(keys.begin(), keys.end(), std::greater<>());
  const auto scratch = std::make_shared<cuda::SampleScratch>();
  return [keys, scratch](const DrawCase& draw) -> size_t {
    const auto n = static_cast<int64_t>(keys.size());
    const cuda::SampleList list = {keys.data(), draw.top_k == 0 ? n : std::min(draw.top_k, n),
                                   draw.temperature};
    std::vector<double> tiles;
    for (int64_t tile = 0; tile < cuda::SampleTileCount(list.count); ++tile) {
      tiles.push_back(cuda::SumSampleTile(list, tile, *scratch, {}));
    }
    const uint64_t key =
        cuda::DrawSample(list, tiles.data(), draw.top_p, draw.uniform, *scratch, {});
    return key == cuda::kNanKey ? kDrewNan : cuda::ArgmaxId(key);
  };
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
  TestAllDraws(random, DrawsOnHost);
  return Result("sample_test");
}

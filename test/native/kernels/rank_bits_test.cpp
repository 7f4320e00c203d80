// The number of a given rank, as a block of the GPU finds it, against a sort: by one thread, and by
// some. No GPU, no CUDA.
#include "cuda/rank_bits.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "check.h"
#include "host_crew.h"

namespace longsight::test {
namespace {

struct Expected {
  float number;
  int32_t ties;
};

Expected Sorted(std::vector<float> scores, int64_t wanted) {
  std::sort(scores.begin(), scores.end(), std::greater<>());
  const float number = scores[static_cast<size_t>(wanted - 1)];
  const auto first = std::find(scores.begin(), scores.end(), number) - scores.begin();
  return {number, static_cast<int32_t>(wanted - first)};
}

void Compare(const std::vector<float>& scores, int64_t wanted, int threads,
             const std::string& what) {
  const auto n = static_cast<int32_t>(scores.size());
  const auto scratch = std::make_unique<cuda::RankScratch>();
  std::vector<cuda::RankedBits> found(static_cast<size_t>(threads));
  if (threads == 1) {
    found[0] = cuda::FindBitsOfRank(scores.data(), n, static_cast<int32_t>(wanted), *scratch,
                                    cuda::OneThread{});
  } else {
    Together(threads, [&](const HostThreads& crew) {
      found[static_cast<size_t>(crew.thread)] =
          cuda::FindBitsOfRank(scores.data(), n, static_cast<int32_t>(wanted), *scratch, crew);
    });
  }
  const Expected expected = Sorted(scores, wanted);
  for (const cuda::RankedBits& of_thread : found) {
    Check(of_thread.bits == index::OrderedBits(expected.number) && of_thread.ties == expected.ties,
          what + ": number " + std::to_string(wanted) + " of " + std::to_string(n) + " by " +
              std::to_string(threads));
  }
}

void CompareAll(Random& random, const std::vector<float>& scores, const std::string& what) {
  const auto n = static_cast<int64_t>(scores.size());
  for (const int threads : {1, 5, 32}) {
    for (const int64_t wanted : {int64_t{1}, n, random.Integer(1, n), random.Integer(1, n)}) {
      Compare(scores, wanted, threads, what);
    }
  }
}

int Run() {
  Random random;
  for (const int64_t n : {1, 2, 31, 300, 5000}) {
    CompareAll(random, random.Floats(n, 100.0f), "any");
    std::vector<float> few(static_cast<size_t>(n));
    for (float& score : few) score = static_cast<float>(random.Integer(-2, 2)) * 0.75f;
    CompareAll(random, few, "few different ones");
    // Alike in all but the lowest bits: every pass decides.
    std::vector<float> alike(static_cast<size_t>(n));
    for (float& score : alike)
      score = 1.0f + static_cast<float>(random.Integer(0, 4000)) * 0x1p-23f;
    CompareAll(random, alike, "alike");
    for (float& score : alike) score = -score;
    CompareAll(random, alike, "alike, below 0");
  }
  return Result("rank_bits_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

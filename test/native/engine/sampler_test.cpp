// Sampling: what may be drawn, how often, and that a seed decides it.
#include "engine/sampler.h"

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "check.h"

namespace longsight::test {
namespace {

constexpr int kDraws = 20000;

std::map<uint32_t, double> Shares(const SamplingOptions& options,
                                  const std::vector<float>& logits) {
  Sampler sampler(options);
  std::map<uint32_t, double> shares;
  for (int i = 0; i < kDraws; ++i) shares[SampleToken(logits, sampler.Next())] += 1.0 / kDraws;
  return shares;
}

void PicksTheLargest() {
  CHECK(SampleToken(std::vector<float>{1, 5, 2, 5}, {}) == 1);
  CHECK(SampleToken(std::vector<float>{-3}, {}) == 0);
  const float infinity = std::numeric_limits<float>::infinity();
  const Draw last = {.temperature = 1, .uniform = 1 - 0x1p-53};
  CHECK(SampleToken(std::vector<float>{-infinity, 0, -infinity}, last) == 1);
  CHECK(SampleToken(std::vector<float>{0, infinity, infinity}, last) == 1);
}

void FollowsTheDistribution() {
  const std::vector<float> logits{std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  auto shares = Shares({.temperature = 1, .seed = 3}, logits);
  // Four standard deviations of a share of 0.5 in 20,000 draws are 0.014.
  CHECK(std::abs(shares[0] - 0.5) < 0.015 && std::abs(shares[3] - 0.05) < 0.015);
  shares = Shares({.temperature = 1, .top_k = 2, .seed = 3}, logits);
  CHECK(shares.size() == 2 && std::abs(shares[0] - 0.625) < 0.015);
  shares = Shares({.temperature = 1, .top_p = 0.6, .seed = 3}, logits);
  CHECK(shares.size() == 2);  // 0.5 alone is not yet 0.6
  shares = Shares({.temperature = 1, .top_p = 1e-9, .seed = 3}, logits);
  CHECK(shares.size() == 1 && shares.contains(0));
  // Half the temperature squares the weights: 0.25 against 0.09, 0.0225 and 0.0025.
  shares = Shares({.temperature = 0.5, .seed = 3}, logits);
  CHECK(std::abs(shares[0] - 0.25 / 0.365) < 0.015);
}

// With no top-k all ids are put in order, by another way than the first few are.
void OrdersAllAsItOrdersFew() {
  std::vector<float> logits;
  for (int i = 0; i < 3000; ++i) {
    logits.push_back(static_cast<float>((i * 7919) % 401 - 200) / 64);  // of each about seven
  }
  logits[5] = -0.0f;
  logits[2000] = -std::numeric_limits<float>::infinity();  // never drawn, and the last in order
  logits[77] = 1e-40f;
  Sampler all({.temperature = 2, .seed = 5}), few({.temperature = 2, .top_k = 2999, .seed = 5});
  for (int i = 0; i < 2000; ++i) {
    CHECK(SampleToken(logits, all.Next()) == SampleToken(logits, few.Next()));
  }
}

void IsDeterministic() {
  Sampler a({.temperature = 1, .seed = 9}), b({.temperature = 1, .seed = 9});
  for (int i = 0; i < 100; ++i) {
    const Draw draw = a.Next();
    CHECK(draw.uniform == b.Next().uniform && draw.uniform >= 0 && draw.uniform < 1);
  }
}

void RefusesNonsense() {
  CHECK_ERROR(ErrorCode::kInternal, "NaN",
              [] { SampleToken(std::vector<float>{std::nanf(""), 1}, {.temperature = 1}); });
  CHECK_ERROR(ErrorCode::kInternal, "NaN",
              [] { SampleToken(std::vector<float>{1, std::nanf("")}, {}); });
  CHECK_ERROR(ErrorCode::kInvalidArgument, "topK", [] { Sampler({.top_k = -1}); });
  CHECK_ERROR(ErrorCode::kInvalidArgument, "topP", [] { Sampler({.top_p = 1.5}); });
  CHECK_ERROR(ErrorCode::kInvalidArgument, "temperature",
              [] { Sampler({.temperature = std::nan("")}); });
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::PicksTheLargest();
  longsight::test::FollowsTheDistribution();
  longsight::test::OrdersAllAsItOrdersFew();
  longsight::test::IsDeterministic();
  longsight::test::RefusesNonsense();
  return longsight::test::Finish("sampler_test");
}

// Which token a draw may give, in plain fp64, sorted and summed one by one; and the logits that
// draws are tried on. Shares no code with the kernel.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "check.h"

namespace longsight::test {

struct DrawCase {
  double temperature;
  int64_t top_k;
  double top_p;
  double uniform;
};

inline std::string Name(const DrawCase& draw) {
  return "temperature " + std::to_string(draw.temperature) + ", top_k " +
         std::to_string(draw.top_k) + ", top_p " + std::to_string(draw.top_p) + ", uniform " +
         std::to_string(draw.uniform);
}

// For logits without NaN.
class SampleOracle {
 public:
  explicit SampleOracle(const std::vector<float>& logits) : ranks_(logits.size()) {
    std::vector<size_t> ids(logits.size());
    std::iota(ids.begin(), ids.end(), size_t{0});
    std::stable_sort(ids.begin(), ids.end(),
                     [&](size_t a, size_t b) { return logits[a] > logits[b]; });
    for (size_t rank = 0; rank < ids.size(); ++rank) {
      ranks_[ids[rank]] = rank;
      sorted_.push_back(static_cast<double>(logits[ids[rank]]));
    }
  }

  // Of all draws that follow.
  void SetTemperature(double temperature) {
    sums_.clear();
    double sum = 0;
    for (const double logit : sorted_) {
      sum += std::exp((logit - sorted_[0]) / temperature);
      sums_.push_back(sum);
    }
  }

  // Whether a token may be drawn: the right one, or another where what decides lies within
  // kTolerance of a boundary between them, as shares of the whole.
  bool Allows(const DrawCase& draw, size_t token) const {
    if (token >= ranks_.size()) return false;
    const size_t rank = ranks_[token];
    if (!std::isfinite(sorted_[0])) return rank == 0;
    const size_t count = draw.top_k == 0
                             ? sorted_.size()
                             : std::min(sorted_.size(), static_cast<size_t>(draw.top_k));
    const double total = sums_[count - 1];
    const auto first_with = [&](double share) {
      const auto end = sums_.begin() + static_cast<int64_t>(count);
      const auto at = std::lower_bound(sums_.begin(), end, share * total);
      return static_cast<size_t>(std::min(at, end - 1) - sums_.begin());
    };
    const size_t least = first_with(draw.top_p - kTolerance);
    const size_t most = first_with(draw.top_p + kTolerance);
    const double before = rank == 0 ? 0 : sums_[rank - 1];
    const double slack = kTolerance * total;
    for (size_t last = std::max(least, rank); last <= most; ++last) {
      const double goal = draw.uniform * sums_[last];
      if (goal >= before - slack && goal < sums_[rank] + slack) return true;
    }
    return false;
  }

 private:
  static constexpr double kTolerance = 1e-9;

  std::vector<size_t> ranks_;   // of each id
  std::vector<double> sorted_;  // logits, the largest first
  std::vector<double> sums_;    // of their weights, each included
};

// The id that was drawn, or kDrewNan.
using DrawToken = std::function<size_t(const DrawCase& draw)>;
inline constexpr size_t kDrewNan = std::numeric_limits<size_t>::max();
// What draws from these logits.
using MakeDraws = std::function<DrawToken(const std::vector<float>& logits)>;

// Draws from one vector of logits in every way.
inline void TestDraws(const std::vector<float>& logits, const MakeDraws& make,
                      const std::string& what) {
  SampleOracle oracle(logits);
  const DrawToken draw_token = make(logits);
  for (const double temperature : {0.1, 0.7, 1.0, 10.0}) {
    oracle.SetTemperature(temperature);
    for (const int64_t top_k : {0, 1, 5, 40}) {
      for (const double top_p : {1.0, 0.9, 0.1}) {
        for (const double uniform : {0.0, 1e-12, 0.37, 0.81, 1 - 0x1p-53}) {
          const DrawCase draw = {temperature, top_k, top_p, uniform};
          const size_t token = draw_token(draw);
          Check(oracle.Allows(draw, token),
                what + ", " + Name(draw) + ": drew " + std::to_string(token));
        }
      }
    }
  }
}

// Weights of 1, whose sums are exact: a goal that is one of them belongs to what comes after it, a
// share that is one of them to what comes before.
inline void TestBoundaries(const MakeDraws& make) {
  constexpr size_t kCount = 4096;
  const DrawToken draw = make(std::vector<float>(kCount, -1.25f));
  for (const size_t at : {1, 2, 31, 32, 33, 1023, 1024, 1025, 2048, 3000, 4095}) {
    const double share = static_cast<double>(at) / kCount;
    Check(draw({1, 0, 1, share}) == at, "a goal at the boundary to " + std::to_string(at));
    Check(draw({1, 0, 1, share - 1e-9}) == at - 1, "a goal just before " + std::to_string(at));
    Check(draw({1, 0, share, 1 - 0x1p-53}) == at - 1, "a share of " + std::to_string(at));
    Check(draw({1, static_cast<int64_t>(at), 1, 1 - 0x1p-53}) == at - 1,
          "the first " + std::to_string(at));
  }
}

inline void TestAllDraws(Random& random, const MakeDraws& make) {
  TestBoundaries(make);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const int64_t n : {1, 2, 7, 1000, 1024, 1025, 32000, 128256, 151936}) {
    const std::string what = "draws of " + std::to_string(n);
    std::vector<float> logits = random.Floats(n, 8.0f);
    TestDraws(logits, make, what);
    // Many of each, some of them zeros of both signs; and none but the first of equals with
    // top_k 1.
    for (float& logit : logits) logit = std::round(logit);
    TestDraws(logits, make, what + ", ties");
    TestDraws(std::vector<float>(static_cast<size_t>(n), -3.5f), make, what + ", all alike");
    for (int64_t i = 0; i < n - 1; i += 2) logits[static_cast<size_t>(i)] = -kInfinity;
    TestDraws(logits, make, what + ", half of them -inf");
    // The largest is drawn for certain, wherever it is.
    for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
      std::vector<float> with = logits;
      with[static_cast<size_t>(at)] = kInfinity;
      const DrawToken infinite = make(with);
      with[static_cast<size_t>(at)] = 1e30f;
      const DrawToken huge = make(with);
      with[static_cast<size_t>(at)] = random.Integer(0, 1) == 0 ? std::nanf("") : -std::nanf("");
      const DrawToken nan = make(with);
      for (const DrawCase& draw : {DrawCase{1, 0, 1, 0.99}, DrawCase{10, 5, 0.5, 0}}) {
        Check(infinite(draw) == static_cast<size_t>(at), what + ": infinity, " + Name(draw));
        Check(huge(draw) == static_cast<size_t>(at), what + ": 1e30, " + Name(draw));
        Check(nan(draw) == kDrewNan, what + ": NaN, " + Name(draw));
      }
    }
    const std::vector<float> least(static_cast<size_t>(n), -kInfinity);
    Check(make(least)({1, 0, 1, 0.99}) == 0, what + ": none of them finite");
  }
}

}  // namespace longsight::test

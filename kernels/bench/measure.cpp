#include <algorithm>
#include <vector>

#include "cases.h"

namespace longsight::bench {
namespace {

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Row Measure(const BenchContext& c, const std::string& kernel, const std::string& shape, Limit limit,
            double work, const std::function<void()>& run) {
  run();
  const double budget = c.quick ? 0.3 : 1.5;
  std::vector<double> rates;
  std::vector<double> shares;
  double spent = 0;
  while (rates.size() < 5 || (spent < budget && rates.size() < 100)) {
    // Reading 256 MiB to measure the limit also empties the caches for a kernel that memory bounds.
    const double before = c.meter.Now(limit);
    const double begin = c.meter.Seconds();
    run();
    const double seconds = c.meter.Seconds() - begin;
    const double after = c.meter.Now(limit);
    rates.push_back(work / seconds);
    shares.push_back(work / seconds / ((before + after) / 2));
    spent += seconds;
  }
  return {kernel, shape, Median(rates) * 1e-9, Median(shares), limit};
}

}  // namespace longsight::bench

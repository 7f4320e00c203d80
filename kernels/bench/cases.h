// The kernels' timed cases.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cpu/ops.h"
#include "cpu/thread_pool.h"
#include "peaks.h"

namespace longsight::bench {

struct Row {
  std::string kernel;
  std::string shape;
  double figure;  // 1e9 operations or bytes per second: the median run
  double share;   // of the limit measured around that run: the median
  Limit limit;
};

inline const char* LimitName(Limit limit) {
  return limit == Limit::kRead  ? "memory read"
         : limit == Limit::kFma ? "fp32 FMA peak"
                                : "bf16 dot peak";
}

inline const char* LimitUnit(Limit limit) { return limit == Limit::kRead ? "GB/s" : "GFLOP/s"; }

struct BenchContext {
  cpu::ThreadPool& pool;
  const cpu::OpTable& ops;
  PeakMeter& meter;
  bool quick;  // fewer and shorter cases
};

// Times run(), which does `work` operations or moves `work` bytes.
Row Measure(const BenchContext& c, const std::string& kernel, const std::string& shape, Limit limit,
            double work, const std::function<void()>& run);

void BenchMatmul(const BenchContext& c, std::vector<Row>& rows);
void BenchAttention(const BenchContext& c, std::vector<Row>& rows);
void BenchSparse(const BenchContext& c, std::vector<Row>& rows);
void BenchElementwise(const BenchContext& c, std::vector<Row>& rows);

}  // namespace longsight::bench

// The kernels' timed cases.
#pragma once

#include <string>
#include <vector>

#include "cpu/ops.h"
#include "cpu/thread_pool.h"
#include "peaks.h"

namespace longsight::bench {

struct Row {
  std::string kernel;
  std::string shape;
  double figure;
  std::string unit;   // "GFLOP/s" or "GB/s"
  double share;       // figure / limit
  std::string limit;  // which of the machine's peaks
};

struct BenchContext {
  cpu::ThreadPool& pool;
  const cpu::OpTable& ops;
  const MachinePeaks& peaks;
  bool quick;  // fewer and shorter cases
};

void BenchMatmul(const BenchContext& c, std::vector<Row>& rows);
void BenchAttention(const BenchContext& c, std::vector<Row>& rows);
void BenchElementwise(const BenchContext& c, std::vector<Row>& rows);

}  // namespace longsight::bench

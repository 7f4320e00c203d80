// What this machine can do at most, measured: the denominators of every share.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/thread_pool.h"

namespace longsight::bench {

// Multiply-adds in registers on every thread of the pool; GFLOP/s, two operations to a
// multiply-add. 0: not here.
struct PeakProbe {
  const char* isa;  // the name in cpu/ops.h
  double (*fma)(
      int64_t steps);  // runs `steps` rounds on the calling thread; returns operations done
  double (*bf16_dot)(int64_t steps);  // or null where the instruction set has no bf16 dot product
};

extern const PeakProbe kPortablePeak;
#if defined(LONGSIGHT_X86)
extern const PeakProbe kAvx2Peak;
extern const PeakProbe kAvx512Peak;
extern const PeakProbe kAvx512Bf16Peak;
#endif

enum class Limit { kFma, kBf16Dot, kRead };

// Measures a limit anew, in some milliseconds, each time it is asked: on a shared machine the limit
// itself moves, so a kernel is compared with what the machine could do just then. Rates in
// operations or bytes per second.
class PeakMeter {
 public:
  // With `processor_time` the clock runs only while this process computes: for a machine that other
  // programs share.
  PeakMeter(cpu::ThreadPool& pool, const char* isa, bool processor_time);

  double Seconds() const;

  double Now(Limit limit);
  // The median and the highest rate of a limit so far; 0 when never asked.
  double Typical(Limit limit) const;
  double Best(Limit limit) const;
  bool HasBf16Dot() const;

 private:
  double Compute(double (*probe)(int64_t));
  double Read();

  cpu::ThreadPool& pool_;
  const PeakProbe* probe_;
  const bool processor_time_;
  std::vector<uint64_t> memory_;  // 256 MiB, more than any cache holds
  std::vector<double> seen_[3];   // by limit
};

struct MachinePeaks {
  double fma_gflops;
  double bf16_gflops;  // 0 when the instruction set has no bf16 dot product
  double read_gbps;    // 1e9 bytes per second
};

// The best of each limit over about `seconds` apiece.
MachinePeaks MeasurePeaks(cpu::ThreadPool& pool, const char* isa, double seconds);

}  // namespace longsight::bench

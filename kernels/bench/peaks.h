// What this machine can do at most, measured: the denominators of every share.
#pragma once

#include "cpu/thread_pool.h"

namespace longsight::bench {

// Multiply-adds in registers on every thread of the pool; GFLOP/s, two operations to a multiply-add. 0: not here.
struct PeakProbe {
  const char* isa;  // the name in cpu/ops.h
  double (*fma)(int64_t steps);       // runs `steps` rounds on the calling thread; returns operations done
  double (*bf16_dot)(int64_t steps);  // or null where the instruction set has no bf16 dot product
};

extern const PeakProbe kPortablePeak;
#if defined(LONGSIGHT_X86)
extern const PeakProbe kAvx2Peak;
extern const PeakProbe kAvx512Peak;
extern const PeakProbe kAvx512Bf16Peak;
#endif

struct MachinePeaks {
  double fma_gflops;
  double bf16_gflops;  // 0 when the instruction set has no bf16 dot product
  double read_gbps;    // all threads reading 256 MiB that no cache holds; 1e9 bytes per second
};

MachinePeaks MeasurePeaks(cpu::ThreadPool& pool, const char* isa, double seconds);

}  // namespace longsight::bench

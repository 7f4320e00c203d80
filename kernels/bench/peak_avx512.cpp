#include "cpu/dot.h"
#include "cpu/simd_avx512.h"
#include "peak_probe.h"
#include "peaks.h"

namespace longsight::bench {

extern const PeakProbe kAvx512Peak = {"avx512", ProbePeak<cpu::Avx512, cpu::FmaDot<cpu::Avx512>, 2>,
                                      nullptr};

}  // namespace longsight::bench

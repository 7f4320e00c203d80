#include "cpu/dot.h"
#include "cpu/simd_avx2.h"
#include "peak_probe.h"
#include "peaks.h"

namespace longsight::bench {

extern const PeakProbe kAvx2Peak = {"avx2", ProbePeak<cpu::Avx2, cpu::FmaDot<cpu::Avx2>, 2>,
                                    nullptr};

}  // namespace longsight::bench

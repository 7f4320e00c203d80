#include "cpu/dot.h"
#include "cpu/simd_portable.h"
#include "peak_probe.h"
#include "peaks.h"

namespace longsight::bench {

extern const PeakProbe kPortablePeak = {
    "portable", ProbePeak<cpu::Portable, cpu::FmaDot<cpu::Portable>, 2>, nullptr};

}  // namespace longsight::bench

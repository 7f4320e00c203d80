#include "cpu/dot.h"
#include "cpu/simd_avx512bf16.h"
#include "peak_probe.h"
#include "peaks.h"

namespace longsight::bench {

extern const PeakProbe kAvx512Bf16Peak = {
    "avx512bf16", ProbePeak<cpu::Avx512Bf16, cpu::FmaDot<cpu::Avx512Bf16>, 2>,
    ProbePeak<cpu::Avx512Bf16, cpu::Bf16PairDot, 4>};

}  // namespace longsight::bench

#include "op_table.h"
#include "simd_avx512bf16.h"

namespace longsight::cpu {

extern constexpr OpTable kAvx512Bf16Ops = MakeOpTable<Avx512Bf16, Bf16PairDot>("avx512bf16");

}  // namespace longsight::cpu

#include "op_table.h"
#include "simd_avx512.h"

namespace longsight::cpu {

extern constexpr OpTable kAvx512Ops = MakeOpTable<Avx512, void>("avx512");

}  // namespace longsight::cpu

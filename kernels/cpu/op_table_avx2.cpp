#include "op_table.h"
#include "simd_avx2.h"

namespace longsight::cpu {

extern constexpr OpTable kAvx2Ops = MakeOpTable<Avx2, void>("avx2");

}  // namespace longsight::cpu

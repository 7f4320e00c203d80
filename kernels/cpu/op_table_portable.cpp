#include "op_table.h"
#include "simd_portable.h"

namespace longsight::cpu {

extern constexpr OpTable kPortableOps = MakeOpTable<Portable, void>("portable");

}  // namespace longsight::cpu

#include "tables.h"

namespace longsight::test {

std::vector<const cpu::OpTable*> TablesUnderTest() {
  return {&cpu::kAvx512Bf16Ops, &cpu::kAvx512Ops};
}

}  // namespace longsight::test

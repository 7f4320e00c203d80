#include "cpu/isa.h"
#include "tables.h"

namespace longsight::test {

std::vector<const cpu::OpTable*> TablesUnderTest() { return cpu::AvailableIsas(); }

}  // namespace longsight::test

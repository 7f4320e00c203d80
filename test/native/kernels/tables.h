// The instruction sets under test: those of this CPU, or AVX-512 emulated by SIMDe in the test that
// says so.
#pragma once

#include <vector>

#include "cpu/ops.h"

namespace longsight::test {

std::vector<const cpu::OpTable*> TablesUnderTest();

}  // namespace longsight::test

// Which instruction set runs. Chosen once; LONGSIGHT_ISA may lower the choice.
#pragma once

#include <string>
#include <vector>

#include "ops.h"

namespace longsight::cpu {

// Empty when an instruction set is chosen. Otherwise why not (LONGSIGHT_ISA names an unknown one,
// or one that this CPU lacks), with what to do: the backend must then refuse to start, and must not
// call any operation.
const std::string& SelectIsa();

// Tables that this CPU can run, best first; "portable" is always the last.
std::vector<const OpTable*> AvailableIsas();

// The pure part of the choice, for tests: `wanted` null or empty means the best. Null with `error`
// set when refused.
const OpTable* ChooseIsa(const std::vector<const OpTable*>& available, const char* wanted,
                         std::string* error);

}  // namespace longsight::cpu

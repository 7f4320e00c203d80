// Heads whose attention was planted, so that it is known which pattern fits which of them.
#pragma once

#include <cstdint>
#include <string>

#include "engine/backend.h"

namespace longsight::test {

// Tries patterns on heads of local, of column-wise, of block-wise and of slashed attention, in the
// backend's own precision: the pattern that fits has the least error, at equal cost. `block_rows`:
// rows that share a cover there.
void CheckPlantedHeads(Backend& backend, int64_t block_rows);

// A layer of a head-pattern file in which every head has the same pattern.
std::string OneLayer(const std::string& pattern, int64_t heads);

}  // namespace longsight::test

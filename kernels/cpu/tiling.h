// Integer arithmetic of tiles. Internal linkage on purpose: these headers are compiled once per
// instruction set, and a shared inline symbol could be resolved to the copy that only a newer CPU
// can run.
#pragma once

#include <cstdint>

namespace longsight::cpu {

static constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static constexpr int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }
static constexpr int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
static constexpr int64_t Max(int64_t a, int64_t b) { return a > b ? a : b; }
static constexpr int64_t Clamp(int64_t v, int64_t low, int64_t high) {
  return Max(low, Min(v, high));
}

}  // namespace longsight::cpu

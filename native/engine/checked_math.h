// Integer arithmetic on numbers that come from files: an overflow is a value to handle, never a
// wrap.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace longsight {

inline std::optional<uint64_t> CheckedMultiply(uint64_t a, uint64_t b) {
  if (a != 0 && b > std::numeric_limits<uint64_t>::max() / a) return std::nullopt;
  return a * b;
}

// The smallest multiple of `unit` (a power of two) that is not below `n`. Callers keep n far from
// the type's end.
constexpr int64_t RoundUp(int64_t n, int64_t unit) { return (n + unit - 1) & ~(unit - 1); }

}  // namespace longsight

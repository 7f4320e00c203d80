#pragma once

#include <cstdint>

namespace longsight {

// Element types that the engine computes with; a weight file may declare others, for tensors that
// nobody reads.
enum class DType : uint8_t { kF32, kF16, kBF16 };

constexpr int64_t DTypeBytes(DType type) { return type == DType::kF32 ? 4 : 2; }

// Widens `n` elements of `type` at `source` (any alignment) to fp32; exact for all three types.
void WidenToFloat(const void* source, DType type, int64_t n, float* out);

}  // namespace longsight

#pragma once

#include <cstdint>

namespace longsight {

// Element types that the engine computes with; a weight file may declare others, for tensors that
// nobody reads. kE4M3 (fp8) is for keys and values on a GPU, with a scale beside them.
enum class DType : uint8_t { kF32, kF16, kBF16, kE4M3 };

constexpr int64_t DTypeBytes(DType type) {
  return type == DType::kF32 ? 4 : type == DType::kE4M3 ? 1 : 2;
}

// "f32", "f16", "bf16", "fp8". A static string.
const char* DTypeName(DType type);

// Widens `n` elements of `type` at `source` (any alignment) to fp32; exact; not for kE4M3.
void WidenToFloat(const void* source, DType type, int64_t n, float* out);

}  // namespace longsight

// The oracle's own reader of safetensors files, for the repository's golden files only: it trusts
// them, and shares nothing with the engine's reader.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace longsight::reference {

struct StoredTensor {
  std::vector<int64_t> shape;
  std::vector<double> values;  // row-major; exact for BF16, F32 and integers up to 2^53
};

// BF16, F32 and I64 tensors by name. Throws std::runtime_error for any other.
std::map<std::string, StoredTensor> ReadTensors(const std::string& path);

}  // namespace longsight::reference

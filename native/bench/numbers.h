#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longsight::bench {

// "4096,16384" and "4096": the value of `option`. Throw std::invalid_argument that names it.
std::vector<int64_t> ParseNumbers(const std::string& option, const std::string& text);
int64_t ParseNumber(const std::string& option, const std::string& text);
// "fp8" or else "bf16". Throws as they do.
bool ParseIsFp8(const std::string& option, const std::string& text);

}  // namespace longsight::bench

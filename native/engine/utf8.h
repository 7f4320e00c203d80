#pragma once

#include <string_view>

namespace longsight {

// True when `text` is well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF
// (Unicode 15, table 3-7).
bool IsValidUtf8(std::string_view text);

}  // namespace longsight

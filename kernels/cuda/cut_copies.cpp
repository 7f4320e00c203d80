#include "cuda/cut_copies.h"

#include <algorithm>
#include <cstddef>

namespace longsight::cuda {

std::vector<HostCopy> CutCopies(std::span<const HostCopy> copies, int64_t most) {
  std::vector<HostCopy> parts;
  for (const HostCopy& copy : copies) {
    for (int64_t at = 0; at < copy.bytes; at += most) {
      parts.push_back({static_cast<const std::byte*>(copy.from) + at,
                       static_cast<std::byte*>(copy.to) + at, std::min(most, copy.bytes - at)});
    }
  }
  return parts;
}

}  // namespace longsight::cuda

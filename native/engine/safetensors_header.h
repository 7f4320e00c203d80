// The header of a safetensors file: https://github.com/huggingface/safetensors, README, "Format".
//
//   8 bytes, little endian: N, the header's length | N bytes of JSON | the tensors' bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace longsight {

// The reference implementation's bound on N.
inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // as in the file, such as "BF16"; one of the format's types
  std::vector<uint64_t> shape;
  // [begin, end) within the file, header included.
  uint64_t begin, end;
};

// Reads and checks the header of a whole file's bytes; `file_name` is for messages. The entries
// come in the order of their bytes, and together they cover the bytes behind the header: no hole,
// no overlap, nothing left over. Throws Error(kModelFileInvalid) that names the file, the tensor
// and the numbers.
std::vector<SafetensorsEntry> ParseSafetensorsHeader(std::span<const std::byte> file,
                                                     const std::string& file_name);

}  // namespace longsight

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/shape.h"

namespace longsight::bench {

struct Options {
  Shape shape;
  std::vector<int64_t> lengths = {4096, 16384};
  int64_t chunk = 4096;
  int threads = 0;  // 0: one per processor
  int64_t decode_tokens = 32;
  bool json = false;
  bool help = false;
};

extern const char* const kUsage;

// Throws std::invalid_argument that names the option.
Options ParseOptions(int argc, char** argv);

}  // namespace longsight::bench

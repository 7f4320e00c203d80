#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longsight::bench {

struct Shape {
  int64_t layers = 6, hidden = 512, heads = 8, kv_heads = 2, head_size = 64, ffn = 1536,
          vocabulary = 16384;
};

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

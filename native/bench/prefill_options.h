#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/shape.h"
#include "engine/engine.h"

namespace longsight::bench {

struct PrefillOptions {
  // A model folder with a file of token ids for it; or a random model of a shape.
  std::string model;
  std::string tokens;
  Shape shape;
  std::vector<int64_t> lengths = {4096, 16384, 32768};
  std::vector<PrefillMode> modes = {PrefillMode::kDense, PrefillMode::kSparse};
  std::string patterns;
  double recall_floor = -1;  // each head's own
  int64_t chunk = 32768;     // what the daemon uses
  int64_t runs = 1;
  int threads = 0;              // 0: one per processor
  std::string device = "auto";  // as EngineOptions::device
  KvType kv = KvType::kBf16;    // of keys and values
  WeightType weights = WeightType::kBf16;
  bool json = false;
  bool help = false;
};

extern const char* const kPrefillUsage;

const char* ModeName(PrefillMode mode);

// Throws std::invalid_argument that names the option.
PrefillOptions ParsePrefillOptions(int argc, char** argv);

}  // namespace longsight::bench

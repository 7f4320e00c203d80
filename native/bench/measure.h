#pragma once

#include <cstdint>

#include "bench/options.h"
#include "engine/engine.h"

namespace longsight::bench {

struct Measurement {
  int64_t tokens;
  double prefill_seconds;
  double prefill_flops;   // multiplications and additions that the prefill takes
  double decode_seconds;  // per token
  double decode_bytes;    // weights and KV that a decoded token reads
};

// Prefills `length` tokens and decodes after them. Throws Error.
Measurement Measure(Engine& engine, const Options& options, int64_t length);

}  // namespace longsight::bench

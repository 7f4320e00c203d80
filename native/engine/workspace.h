// The activations of one chunk: planned, sized and placed by one piece of code.
#pragma once

#include <cstdint>

#include "engine/anonymous_memory.h"
#include "engine/decoder_spec.h"

namespace longsight {

// Rows that go through projections and MLP together: enough to amortise the unpacking of weights,
// few enough that their intermediate results stay in the cache.
inline constexpr int64_t kBlockRows = 512;

class Workspace {
 public:
  // Bytes for chunks of up to `chunk` tokens.
  static int64_t PlannedBytes(const DecoderSpec& spec, int64_t chunk);

  // Throws Error(kNotEnoughMemory).
  Workspace(const DecoderSpec& spec, int64_t chunk);

  int64_t chunk() const { return chunk_; }

  // Of the whole chunk.
  float* residual;     // [chunk, hidden]
  float* query;        // [chunk, query_size]
  float* attention;    // [chunk, query_size]
  float* log_sum_exp;  // [chunk, heads]
  // Of a block.
  float* normed;  // [block, hidden]
  float* key;     // [block, kv_size]
  float* value;   // [block, kv_size]
  float* gate;    // [block, intermediate]
  float* up;      // [block, intermediate]

 private:
  // Assigns every pointer from `base` on; returns the bytes used. With a null base it only counts.
  int64_t Place(const DecoderSpec& spec, std::byte* base);
  explicit Workspace(int64_t chunk) : chunk_(chunk) {}

  int64_t chunk_;
  AnonymousMemory memory_;
};

}  // namespace longsight

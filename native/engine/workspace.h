// The activations of one chunk: planned, sized and placed by one piece of code.
#pragma once

#include <cstdint>

#include "engine/backend.h"
#include "engine/decoder_spec.h"

namespace longsight {

class Workspace {
 public:
  // Bytes for chunks of up to `chunk` tokens.
  static int64_t PlannedBytes(const DecoderSpec& spec, const Backend& backend, int64_t chunk);

  // Throws Error(kNotEnoughMemory).
  Workspace(const DecoderSpec& spec, Backend& backend, int64_t chunk);

  int64_t chunk() const { return chunk_; }
  // Rows that the members of a block hold.
  int64_t block() const { return block_; }

  // Of the whole chunk.
  Rows residual;       // fp32 [chunk, hidden]
  Rows query;          // [chunk, query_size]
  Rows attention;      // [chunk, query_size]
  float* log_sum_exp;  // [chunk, heads]
  // Of a block.
  Rows normed;  // [block, hidden]
  Rows key;     // [block, kv_size]
  Rows value;   // [block, kv_size]
  Rows gate;    // [block, intermediate]
  Rows up;      // [block, intermediate]

 private:
  Workspace(const Backend& backend, int64_t chunk);
  // Assigns every pointer from `base` on; returns the bytes used. With a null base it only counts.
  int64_t Place(const DecoderSpec& spec, DType activations, std::byte* base);

  int64_t chunk_;
  int64_t block_;
  BackendMemory memory_;
};

}  // namespace longsight

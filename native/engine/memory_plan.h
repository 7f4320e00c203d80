// What a context will take, counted before the work is begun.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/backend.h"
#include "engine/kv_segment.h"
#include "engine/model.h"

namespace longsight {

struct MemoryPlan {
  DType kv_type;
  int64_t chunk_tokens;
  int64_t weights_bytes;
  int64_t kv_bytes;
  int64_t workspace_bytes;
  int64_t required_bytes;
  // Weights count as available, whether the system can drop them or the device holds them already:
  // so they stand on both sides.
  int64_t available_bytes;
};

// For `new_tokens` tokens of KV that do not exist yet, behind `held_tokens` that do, run in chunks
// of `chunk`.
MemoryPlan PlanMemory(const Model& model, const Backend& backend, const KvLayout& layout,
                      int64_t held_tokens, int64_t new_tokens, int64_t chunk);

// Chunks are not cut below this: each costs its own estimate of where attention lies.
inline constexpr int64_t kLeastChunk = 8192;

// Ways to have the same context, the best one first and each with less memory than those before:
// the layouts in their order, and each of them in chunks of `chunk` tokens, of half of that, and so
// on down to kLeastChunk.
std::vector<MemoryPlan> PlanChoices(const Model& model, const Backend& backend,
                                    std::span<const KvLayout> layouts, int64_t held_tokens,
                                    int64_t new_tokens, int64_t chunk);

// Throws Error(kNotEnoughMemory) with the figures when the plan does not fit.
void RequireFit(const MemoryPlan& plan, int64_t new_tokens);

}  // namespace longsight

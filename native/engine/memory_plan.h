// What a context will take, counted before the work is begun.
#pragma once

#include <cstdint>

#include "engine/backend.h"
#include "engine/kv_segment.h"
#include "engine/model.h"

namespace longsight {

struct MemoryPlan {
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

// Throws Error(kNotEnoughMemory) with the figures when the plan does not fit.
void RequireFit(const MemoryPlan& plan, int64_t new_tokens);

}  // namespace longsight

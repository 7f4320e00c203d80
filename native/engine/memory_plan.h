// What a context will take, counted before the work is begun.
#pragma once

#include <cstdint>

#include "engine/kv_segment.h"
#include "engine/model.h"

namespace longsight {

struct MemoryPlan {
  int64_t weights_bytes;
  int64_t kv_bytes;
  int64_t workspace_bytes;
  int64_t required_bytes;
  // Weights that are mapped count as available, since the system can drop them: so they stand on
  // both sides.
  int64_t available_bytes;
};

// For `new_tokens` tokens of KV that do not exist yet, run in chunks of `chunk` on a backend that
// keeps `scratch` bytes.
MemoryPlan PlanMemory(const Model& model, const KvLayout& layout, int64_t new_tokens, int64_t chunk,
                      int64_t scratch);

// Throws Error(kNotEnoughMemory) with the figures when the plan does not fit.
void RequireFit(const MemoryPlan& plan, int64_t new_tokens);

}  // namespace longsight

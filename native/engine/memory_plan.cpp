#include "engine/memory_plan.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "engine/error.h"
#include "engine/system_memory.h"
#include "engine/workspace.h"

namespace longsight {
namespace {

std::string Mebibytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
  return text;
}

}  // namespace

MemoryPlan PlanMemory(const Model& model, const KvLayout& layout, int64_t new_tokens, int64_t chunk,
                      int64_t scratch) {
  MemoryPlan plan{};
  plan.weights_bytes = model.weights_bytes;
  plan.kv_bytes = new_tokens * layout.bytes_per_token();
  plan.workspace_bytes =
      Workspace::PlannedBytes(model.spec, std::max<int64_t>(1, std::min(chunk, new_tokens))) +
      model.spec.vocabulary * static_cast<int64_t>(sizeof(float)) + scratch;
  plan.required_bytes = plan.weights_bytes + plan.kv_bytes + plan.workspace_bytes;
  plan.available_bytes = AvailableMemoryBytes();
  return plan;
}

void RequireFit(const MemoryPlan& plan, int64_t new_tokens) {
  if (plan.required_bytes <= plan.available_bytes) return;
  throw Error(ErrorCode::kNotEnoughMemory,
              std::to_string(new_tokens) + " tokens need " + Mebibytes(plan.required_bytes) +
                  " (weights " + Mebibytes(plan.weights_bytes) + ", KV cache " +
                  Mebibytes(plan.kv_bytes) + ", workspace " + Mebibytes(plan.workspace_bytes) +
                  "), but only " + Mebibytes(plan.available_bytes) + " are free");
}

}  // namespace longsight

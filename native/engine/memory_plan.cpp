#include "engine/memory_plan.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "engine/error.h"
#include "engine/workspace.h"

namespace longsight {
namespace {

std::string Mebibytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
  return text;
}

}  // namespace

MemoryPlan PlanMemory(const Model& model, const Backend& backend, const KvLayout& layout,
                      int64_t held_tokens, int64_t new_tokens, int64_t chunk) {
  const int64_t rows = std::max<int64_t>(1, std::min(chunk, new_tokens));
  MemoryPlan plan{};
  plan.kv_type = layout.type;
  plan.chunk_tokens = chunk;
  plan.weights_bytes = model.weights_bytes;
  plan.kv_bytes = layout.bytes(new_tokens);
  plan.workspace_bytes = Workspace::PlannedBytes(model.spec, backend, rows) +
                         model.spec.vocabulary * static_cast<int64_t>(sizeof(float)) +
                         backend.scratch_bytes(model.spec, layout.type) +
                         backend.sparse_bytes(model.spec, rows, held_tokens + new_tokens);
  plan.required_bytes = plan.weights_bytes + plan.kv_bytes + plan.workspace_bytes;
  plan.available_bytes = backend.available_bytes();
  return plan;
}

std::vector<MemoryPlan> PlanChoices(const Model& model, const Backend& backend,
                                    std::span<const KvLayout> layouts, int64_t held_tokens,
                                    int64_t new_tokens, int64_t chunk) {
  std::vector<MemoryPlan> choices;
  for (const KvLayout& layout : layouts) {
    for (int64_t rows = chunk;; rows /= 2) {
      const MemoryPlan plan = PlanMemory(model, backend, layout, held_tokens, new_tokens, rows);
      if (choices.empty() || plan.required_bytes < choices.back().required_bytes) {
        choices.push_back(plan);
      }
      if (rows / 2 < kLeastChunk) break;
    }
  }
  return choices;
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

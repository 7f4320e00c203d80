// How the probe cuts up its keys, and what lies where in its workspace. Functions for host and
// device.
//
// Keys go through in groups of 16, query rows in columns of scores: with groups that begin where
// (first row - key) is a multiple of kBandOffsets, 16 keys by 16 rows touch two bands, one above
// the diagonal and one below. Each warp takes a run of consecutive groups and carries the bands
// that are not complete yet in registers.
#pragma once

#include <cstdint>

#include "index/pattern.h"

namespace longsight::cuda {

inline constexpr int kProbeGroup = 16;
static_assert(kProbeGroup == index::kBandOffsets);
inline constexpr int kProbeWarps = 4;  // of a slice
inline constexpr int kProbeHeads = 4;  // of a CTA, which share its keys
// CTAs to aim at: a Hopper GPU's multiprocessors. A constant, so that sums come out the same on
// every device.
inline constexpr int kProbeBlocks = 132;
// Groups of the shortest run: what two neighbouring runs both add to must not overlap with what the
// next two do.
inline constexpr int64_t kLeastGroups = 5;

struct ProbePlan {
  int32_t head_parts;  // CTAs that share out a KV head's query heads
  int32_t heads_of_part;
  int32_t slices;      // of the keys
  int32_t groups;      // of a warp's run
  int32_t first_key;   // of the first group; may be negative
  int32_t first_band;  // of the first group's keys and the first 16 rows
};

static LONGSIGHT_HD inline ProbePlan PlanProbe(int64_t heads, int64_t kv_heads, int64_t rows,
                                               int64_t tokens) {
  const int64_t group = heads / kv_heads;
  ProbePlan plan;
  plan.head_parts = static_cast<int32_t>(index::DivideUp(group, kProbeHeads));
  plan.heads_of_part = static_cast<int32_t>(index::DivideUp(group, plan.head_parts));
  const int64_t first_row = tokens - rows;
  const int64_t shift = first_row % kProbeGroup;
  plan.first_key = static_cast<int32_t>(shift > 0 ? shift - kProbeGroup : 0);
  plan.first_band = static_cast<int32_t>((first_row - plan.first_key) / kProbeGroup);
  const int64_t groups = index::DivideUp(tokens - plan.first_key, kProbeGroup);
  const int64_t most = index::Most(1, kProbeBlocks / (kv_heads * plan.head_parts));
  const int64_t of_run = index::Most(kLeastGroups, index::DivideUp(groups, most * kProbeWarps));
  plan.groups = static_cast<int32_t>(of_run);
  plan.slices = static_cast<int32_t>(index::DivideUp(groups, of_run * kProbeWarps));
  return plan;
}

// First key of a warp's run.
static LONGSIGHT_HD inline int32_t RunBegin(const ProbePlan& plan, int32_t slice, int32_t warp) {
  return plan.first_key + (slice * kProbeWarps + warp) * plan.groups * kProbeGroup;
}

// Floats of the workspace: [heads, kProbeRows] log-sum-exps in units of log 2, then
// [slices * kProbeWarps, heads, kProbeRows] parts of them.
static LONGSIGHT_HD inline int64_t ProbeFloats(int64_t heads) {
  // No plan has more slices than CTAs.
  return heads * index::kProbeRows * (1 + static_cast<int64_t>(kProbeBlocks) * kProbeWarps);
}

}  // namespace longsight::cuda

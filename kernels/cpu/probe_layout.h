// How a probe cuts up its keys, and the workspace that takes.
#pragma once

#include "kernels.h"
#include "tiling.h"

namespace longsight::cpu {

// Keys of a slice. Fixed, so that sums come out the same whatever the number of threads.
inline constexpr int64_t kProbeSlice = 4096;
// Bands that a slice's keys lie in: their offsets, a row count more, begin anywhere.
inline constexpr int64_t kSliceBands = (kProbeSlice + index::kProbeRows) / index::kBandOffsets + 2;

static inline int64_t ProbeSlices(int64_t tokens) { return CeilDiv(tokens, kProbeSlice); }

}  // namespace longsight::cpu

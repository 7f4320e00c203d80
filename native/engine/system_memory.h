#pragma once

#include <cstdint>

namespace longsight {

// Bytes that this process could still take without swapping, page cache that can be dropped
// included; on Linux the least of what /proc/meminfo and the process's memory cgroups (v1 and v2)
// leave.
int64_t AvailableMemoryBytes();

// The largest resident size of this process so far, mapped files included.
int64_t PeakResidentBytes();

}  // namespace longsight

#pragma once

namespace longsight {

// That this process may run on: its affinity mask knows of taskset and cpusets.
int UsableProcessors();

}  // namespace longsight

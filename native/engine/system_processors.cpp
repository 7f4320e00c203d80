#include "engine/system_processors.h"

#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace longsight {

int UsableProcessors() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : static_cast<int>(count);
}

}  // namespace longsight

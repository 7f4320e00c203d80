#include "engine/system_memory.h"

#include <limits>

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
// after windows.h
#include <psapi.h>
#elif defined(__APPLE__)
#include <mach/mach.h>
#include <sys/resource.h>
#else
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#endif

namespace longsight {

#ifdef _WIN32

int64_t AvailableMemoryBytes() {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  if (!GlobalMemoryStatusEx(&status)) return std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(status.ullAvailPhys);
}

int64_t PeakResidentBytes() {
  PROCESS_MEMORY_COUNTERS counters{};
  if (!K32GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters)) return 0;
  return static_cast<int64_t>(counters.PeakWorkingSetSize);
}

#elif defined(__APPLE__)

int64_t AvailableMemoryBytes() {
  vm_statistics64_data_t stats{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  if (host_statistics64(mach_host_self(), HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&stats),
                        &count) != KERN_SUCCESS) {
    return std::numeric_limits<int64_t>::max();
  }
  const int64_t pages =
      static_cast<int64_t>(stats.free_count) + stats.inactive_count + stats.purgeable_count;
  return pages * static_cast<int64_t>(vm_kernel_page_size);
}

int64_t PeakResidentBytes() {
  rusage usage{};
  return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0;  // bytes on macOS
}

#else

namespace {

// The first number of a one-line file; nothing for "max" or when there is no such file.
std::optional<int64_t> ReadNumber(const std::filesystem::path& path) {
  std::ifstream file(path);
  int64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

// The number behind `key` in lines such as "MemAvailable:   123 kB" or "inactive_file 123".
std::optional<int64_t> ReadField(const std::filesystem::path& path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    int64_t number = 0;
    if (words >> name >> number && name == key) return number;
  }
  return std::nullopt;
}

// What one cgroup leaves: its limit less its use, where file pages that can be dropped do not count
// as used.
std::optional<int64_t> CgroupHeadroom(const std::filesystem::path& dir, const char* limit_file,
                                      const char* use_file, const char* inactive_key) {
  const auto limit = ReadNumber(dir / limit_file);
  const auto use = ReadNumber(dir / use_file);
  if (!limit || !use) return std::nullopt;
  const int64_t inactive = ReadField(dir / "memory.stat", inactive_key).value_or(0);
  return std::max<int64_t>(0, *limit - *use + inactive);
}

// The tightest of this process's cgroup and its ancestors, as /proc/self/cgroup lists them
// (cgroups(7)).
int64_t CgroupAvailable() {
  int64_t least = std::numeric_limits<int64_t>::max();
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + controllers + ",").find(",memory,") == std::string::npos) continue;
    const std::filesystem::path root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    std::filesystem::path group = std::filesystem::path(line.substr(second + 1)).relative_path();
    for (;; group = group.parent_path()) {
      const std::filesystem::path dir = root / group;
      const auto headroom =
          v2 ? CgroupHeadroom(dir, "memory.max", "memory.current", "inactive_file")
             : CgroupHeadroom(dir, "memory.limit_in_bytes", "memory.usage_in_bytes",
                              "total_inactive_file");
      if (headroom) least = std::min(least, *headroom);
      if (group.empty()) break;
    }
  }
  return least;
}

}  // namespace

int64_t AvailableMemoryBytes() {
  const auto kilobytes = ReadField("/proc/meminfo", "MemAvailable:");
  const int64_t machine = kilobytes ? *kilobytes * 1024 : std::numeric_limits<int64_t>::max();
  return std::min(machine, CgroupAvailable());
}

int64_t PeakResidentBytes() {
  rusage usage{};
  return getrusage(RUSAGE_SELF, &usage) == 0 ? int64_t{usage.ru_maxrss} * 1024 : 0;
}

#endif

}  // namespace longsight

#include "engine/anonymous_memory.h"

#include <string>
#include <utility>

#include "engine/error.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <sys/mman.h>
#endif

namespace longsight {
namespace {

[[noreturn]] void FailAllocation(int64_t bytes, const char* purpose) {
  throw Error(ErrorCode::kNotEnoughMemory,
              "the system gave no " + std::to_string(bytes) + " bytes of memory for " + purpose);
}

#ifdef _WIN32

std::byte* Acquire(int64_t bytes) {
  return static_cast<std::byte*>(
      VirtualAlloc(nullptr, static_cast<size_t>(bytes), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
}

void Free(std::byte* data, int64_t) { VirtualFree(data, 0, MEM_RELEASE); }

#else

// From this size on, 2 MiB pages save more in TLB misses than their last, partly used page costs.
[[maybe_unused]] constexpr int64_t kHugePageThreshold = int64_t{64} << 20;

std::byte* Acquire(int64_t bytes) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
  flags |= MAP_NORESERVE;  // what is free is checked by the memory plan, against use rather than
                           // address space
#endif
  void* data = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, flags, -1, 0);
  if (data == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  if (bytes >= kHugePageThreshold) madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
#endif
  return static_cast<std::byte*>(data);
}

void Free(std::byte* data, int64_t bytes) { munmap(data, static_cast<size_t>(bytes)); }

#endif

}  // namespace

AnonymousMemory::AnonymousMemory(int64_t bytes, const char* purpose) : bytes_(bytes) {
  if (bytes <= 0) return;
  data_ = Acquire(bytes);
  if (data_ == nullptr) FailAllocation(bytes, purpose);
}

AnonymousMemory::~AnonymousMemory() {
  if (data_ != nullptr) Free(data_, bytes_);
}

AnonymousMemory::AnonymousMemory(AnonymousMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

AnonymousMemory& AnonymousMemory::operator=(AnonymousMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace longsight

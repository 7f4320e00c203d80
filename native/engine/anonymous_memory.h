#pragma once

#include <cstddef>
#include <cstdint>

namespace longsight {

// Zeroed memory straight from the operating system: the address range is taken at once, a page
// costs nothing until it is touched, and all of it goes back at the end. Aligned to a page.
class AnonymousMemory {
 public:
  AnonymousMemory() = default;
  // Throws Error(kNotEnoughMemory) that names `purpose` and the size.
  AnonymousMemory(int64_t bytes, const char* purpose);
  ~AnonymousMemory();
  AnonymousMemory(AnonymousMemory&& other) noexcept;
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept;
  AnonymousMemory(const AnonymousMemory&) = delete;
  AnonymousMemory& operator=(const AnonymousMemory&) = delete;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace longsight

#include "engine/mapped_file.h"

#include <cerrno>
#include <system_error>

#include "engine/error.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>

#include <filesystem>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace longsight {

#ifdef _WIN32

std::shared_ptr<const MappedFile> MappedFile::Open(const std::string& path) {
  const std::wstring wide = std::filesystem::path(reinterpret_cast<const char8_t*>(path.c_str()));
  HANDLE file = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                            FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) {
    throw Error(ErrorCode::kModelFileMissing, path + " cannot be opened");
  }
  LARGE_INTEGER size;
  if (!GetFileSizeEx(file, &size)) size.QuadPart = 0;
  const void* data = nullptr;
  if (size.QuadPart > 0) {
    HANDLE mapping = CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr);
    if (mapping != nullptr) {
      data = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
      CloseHandle(mapping);  // the view keeps the mapping alive
    }
  }
  CloseHandle(file);
  if (size.QuadPart > 0 && data == nullptr) {
    throw Error(ErrorCode::kModelFileInvalid, path + " cannot be mapped into memory");
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, static_cast<const std::byte*>(data),
                                                          static_cast<size_t>(size.QuadPart)));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) UnmapViewOfFile(data_);
}

#else

std::shared_ptr<const MappedFile> MappedFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a FIFO that stands in for a model file must not hang.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    throw Error(ErrorCode::kModelFileMissing,
                path + " cannot be opened: " + std::generic_category().message(errno));
  }
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    throw Error(ErrorCode::kModelFileMissing, path + " is not a regular file");
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
      const int error = errno;
      close(fd);
      throw Error(ErrorCode::kModelFileInvalid, path + " cannot be mapped into memory: " +
                                                    std::generic_category().message(error));
    }
  }
  close(fd);
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

#endif

}  // namespace longsight

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace longsight {

// A regular file, mapped read-only for as long as the object lives.
class MappedFile {
 public:
  // Throws Error: kModelFileMissing when there is no such regular file, kModelFileInvalid when it
  // cannot be mapped.
  static std::shared_ptr<const MappedFile> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, const std::byte* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}

  std::string path_;
  const std::byte* data_;  // null for an empty file
  size_t size_;
};

}  // namespace longsight

#include "engine/safetensors_header.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "engine/checked_math.h"
#include "engine/error.h"
#include "engine/json.h"

namespace longsight {
namespace {

constexpr uint64_t kLengthBytes = 8;
// { "tensor": { "shape": [ ... ] } } is three deep; metadata values are strings.
constexpr int kMaxHeaderDepth = 4;

// Bits of one element, or 0 for a type that the format does not have.
uint64_t ElementBits(std::string_view dtype) {
  struct Row {
    std::string_view name;
    uint64_t bits;
  };
  static constexpr Row kTypes[] = {
      {"BOOL", 8}, {"U8", 8},   {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
      {"I16", 16}, {"U16", 16}, {"F16", 16}, {"BF16", 16},   {"I32", 32},    {"U32", 32},
      {"F32", 32}, {"F64", 64}, {"I64", 64}, {"U64", 64},    {"C64", 64},
  };
  for (const Row& row : kTypes) {
    if (row.name == dtype) return row.bits;
  }
  return 0;
}

class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> file, const std::string& name)
      : file_(file), name_(name) {}

  std::vector<SafetensorsEntry> Read() {
    const uint64_t header_bytes = ReadLength();
    data_begin_ = kLengthBytes + header_bytes;
    data_bytes_ = file_.size() - data_begin_;
    const std::string_view text(reinterpret_cast<const char*>(file_.data()) + kLengthBytes,
                                static_cast<size_t>(header_bytes));
    const json::Value header = ParseJson(text);
    const json::Object* members = header.AsObject();
    if (members == nullptr) Fail("the header is not a JSON object");
    std::vector<SafetensorsEntry> entries;
    for (const auto& [key, value] : *members) {
      if (key == "__metadata__") {
        CheckMetadata(value);
      } else {
        entries.push_back(ReadEntry(key, value));
      }
    }
    CheckCoverage(entries);
    return entries;
  }

 private:
  [[noreturn]] void Fail(const std::string& message) const {
    throw Error(ErrorCode::kModelFileInvalid, name_ + ": " + message);
  }

  [[noreturn]] void FailTensor(const std::string& tensor, const std::string& message) const {
    Fail("tensor " + tensor + ": " + message);
  }

  uint64_t ReadLength() const {
    if (file_.size() < kLengthBytes) {
      Fail("the file is " + std::to_string(file_.size()) +
           " bytes long, too short for a safetensors header");
    }
    uint64_t length = 0;
    for (size_t i = kLengthBytes; i-- > 0;) {
      length = (length << 8) | static_cast<uint64_t>(file_[i]);
    }
    if (length > kMaxSafetensorsHeaderBytes) {
      Fail("the header claims " + std::to_string(length) + " bytes, more than the limit of " +
           std::to_string(kMaxSafetensorsHeaderBytes));
    }
    if (length > file_.size() - kLengthBytes) {
      Fail("the header claims " + std::to_string(length) + " bytes, but the file has only " +
           std::to_string(file_.size()) + " (is it truncated?)");
    }
    return length;
  }

  json::Value ParseJson(std::string_view text) const {
    try {
      return json::Parse(text, kMaxHeaderDepth);
    } catch (const json::ParseError& error) {
      Fail(std::string("the header is not valid: ") + error.what());
    }
  }

  void CheckMetadata(const json::Value& metadata) const {
    const json::Object* members = metadata.AsObject();
    if (members == nullptr) Fail("__metadata__ is not an object");
    for (const auto& [key, value] : *members) {
      if (value.AsString() == nullptr) Fail("__metadata__ \"" + key + "\" is not a string");
    }
  }

  uint64_t ReadUnsigned(const std::string& tensor, const char* field,
                        const json::Value& value) const {
    const json::Number* number = value.AsNumber();
    if (number == nullptr || !number->is_integer || number->integer < 0) {
      FailTensor(tensor, std::string(field) + " holds something that is not a whole number >= 0");
    }
    return static_cast<uint64_t>(number->integer);
  }

  const json::Value& Member(const std::string& tensor, const json::Value& value,
                            const char* key) const {
    const json::Value* member = value.Find(key);
    if (member == nullptr) FailTensor(tensor, std::string("has no ") + key);
    return *member;
  }

  SafetensorsEntry ReadEntry(const std::string& tensor, const json::Value& value) const {
    const json::Object* members = value.AsObject();
    if (members == nullptr) FailTensor(tensor, "is not described by an object");
    for (const auto& [key, unused] : *members) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        FailTensor(tensor, "has an unknown field \"" + key + "\"");
      }
    }
    SafetensorsEntry entry{tensor, {}, {}, 0, 0};
    const std::string* dtype = Member(tensor, value, "dtype").AsString();
    if (dtype == nullptr || ElementBits(*dtype) == 0) {
      FailTensor(tensor, "has the unknown dtype " + (dtype ? '"' + *dtype + '"' : "(no string)"));
    }
    entry.dtype = *dtype;
    const json::Array* shape = Member(tensor, value, "shape").AsArray();
    if (shape == nullptr) FailTensor(tensor, "shape is not an array");
    for (const json::Value& size : *shape) {
      entry.shape.push_back(ReadUnsigned(tensor, "shape", size));
    }
    ReadRange(tensor, value, entry);
    CheckSize(tensor, entry);
    return entry;
  }

  void ReadRange(const std::string& tensor, const json::Value& value,
                 SafetensorsEntry& entry) const {
    const json::Array* offsets = Member(tensor, value, "data_offsets").AsArray();
    if (offsets == nullptr || offsets->size() != 2) {
      FailTensor(tensor, "data_offsets is not an array of two numbers");
    }
    const uint64_t begin = ReadUnsigned(tensor, "data_offsets", (*offsets)[0]);
    const uint64_t end = ReadUnsigned(tensor, "data_offsets", (*offsets)[1]);
    if (begin > end) {
      FailTensor(tensor, "data_offsets " + std::to_string(begin) + " to " + std::to_string(end) +
                             " run backwards");
    }
    if (end > data_bytes_) {
      FailTensor(tensor, "ends at byte " + std::to_string(end) + " of the data, but the file has " +
                             std::to_string(data_bytes_) + " (is it truncated?)");
    }
    entry.begin = data_begin_ + begin;
    entry.end = data_begin_ + end;
  }

  void CheckSize(const std::string& tensor, const SafetensorsEntry& entry) const {
    std::optional<uint64_t> bits = ElementBits(entry.dtype);
    for (const uint64_t size : entry.shape) {
      if (bits) bits = CheckedMultiply(*bits, size);
    }
    if (!bits) FailTensor(tensor, "its shape overflows 64 bits");
    const uint64_t bytes = entry.end - entry.begin;
    if (*bits / 8 != bytes) {
      FailTensor(tensor, "its shape and dtype need " + std::to_string(*bits / 8) +
                             " bytes, but data_offsets give " + std::to_string(bytes));
    }
  }

  void CheckCoverage(std::vector<SafetensorsEntry>& entries) const {
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    uint64_t at = data_begin_;
    for (const SafetensorsEntry& entry : entries) {
      if (entry.begin < at) FailTensor(entry.name, "overlaps the tensor before it");
      if (entry.begin > at) {
        FailTensor(entry.name,
                   "leaves a hole of " + std::to_string(entry.begin - at) + " bytes before it");
      }
      at = entry.end;
    }
    if (at != file_.size()) {
      Fail(std::to_string(file_.size() - at) + " bytes after the last tensor belong to none");
    }
  }

  std::span<const std::byte> file_;
  const std::string& name_;
  uint64_t data_begin_ = 0;
  uint64_t data_bytes_ = 0;
};

}  // namespace

std::vector<SafetensorsEntry> ParseSafetensorsHeader(std::span<const std::byte> file,
                                                     const std::string& file_name) {
  return HeaderReader(file, file_name).Read();
}

}  // namespace longsight

// A strict JSON reader (RFC 8259) for configs, shard indexes and safetensors headers: files that
// may be hostile.
//
// Stricter than the RFC where leniency would hide damage: duplicate keys, invalid UTF-8, and
// anything after the value are errors; nesting is bounded, so that a file cannot exhaust the stack.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace longsight::json {

class Value;
using Array = std::vector<Value>;
// In the order of the file. Keys are unique.
using Object = std::vector<std::pair<std::string, Value>>;

// `offset` is the byte at which the text stopped being JSON.
class ParseError : public std::runtime_error {
 public:
  ParseError(const std::string& message, size_t offset)
      : std::runtime_error(message + " at byte " + std::to_string(offset)) {}
};

struct Number {
  double value;
  // Set when the text is an integer (no point, no exponent) within int64.
  bool is_integer;
  int64_t integer;
};

class Value {
 public:
  Value() : data_(nullptr) {}
  explicit Value(bool b) : data_(b) {}
  explicit Value(Number n) : data_(n) {}
  explicit Value(std::string s) : data_(std::move(s)) {}
  explicit Value(Array a) : data_(std::move(a)) {}
  explicit Value(Object o) : data_(std::move(o)) {}

  bool IsNull() const { return std::holds_alternative<std::nullptr_t>(data_); }
  // Null when the value is of another type.
  const bool* AsBool() const { return std::get_if<bool>(&data_); }
  const Number* AsNumber() const { return std::get_if<Number>(&data_); }
  const std::string* AsString() const { return std::get_if<std::string>(&data_); }
  const Array* AsArray() const { return std::get_if<Array>(&data_); }
  const Object* AsObject() const { return std::get_if<Object>(&data_); }
  // The member `key` of an object; null when this is no object or has no such member.
  const Value* Find(std::string_view key) const;
  // "null", "a boolean", "a number", "a string", "an array" or "an object", for messages.
  const char* TypeName() const;

 private:
  std::variant<std::nullptr_t, bool, Number, std::string, Array, Object> data_;
};

// Parses exactly one value. Throws ParseError.
Value Parse(std::string_view text, int max_depth = 64);

}  // namespace longsight::json

#include "engine/config_reader.h"

#include <cmath>

#include "engine/error.h"

namespace longsight {

void ConfigReader::FailInvalid(const std::string& field, const std::string& message) const {
  throw Error(ErrorCode::kModelFileInvalid, where_ + ": " + field + " " + message);
}

void ConfigReader::FailUnsupported(const std::string& field, const std::string& message) const {
  throw Error(ErrorCode::kModelUnsupported, where_ + ": " + field + " " + message);
}

bool ConfigReader::Has(const std::string& field) const {
  for (const auto& [name, value] : object_) {
    if (name == field) return !value.IsNull();
  }
  return false;
}

const json::Value* ConfigReader::Read(const std::string& field) {
  read_.insert(field);
  for (const auto& [name, value] : object_) {
    if (name == field) return value.IsNull() ? nullptr : &value;
  }
  return nullptr;
}

const json::Value& ConfigReader::Require(const std::string& field) {
  const json::Value* value = Read(field);
  if (value == nullptr) FailInvalid(field, "is missing");
  return *value;
}

int64_t ConfigReader::CheckInt(const std::string& field, const json::Value& value, int64_t low,
                               int64_t high) const {
  const json::Number* number = value.AsNumber();
  if (number == nullptr) {
    FailInvalid(field, std::string("is ") + value.TypeName() + ", not a number");
  }
  // Some writers give whole numbers as 4096.0.
  const bool whole = number->is_integer || std::floor(number->value) == number->value;
  if (!whole || number->value < static_cast<double>(low) ||
      number->value > static_cast<double>(high)) {
    FailInvalid(
        field, "is not a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return number->is_integer ? number->integer : static_cast<int64_t>(number->value);
}

int64_t ConfigReader::Int(const std::string& field, int64_t low, int64_t high) {
  return CheckInt(field, Require(field), low, high);
}

int64_t ConfigReader::IntOr(const std::string& field, int64_t low, int64_t high, int64_t fallback) {
  const json::Value* value = Read(field);
  return value == nullptr ? fallback : CheckInt(field, *value, low, high);
}

double ConfigReader::Positive(const std::string& field) {
  const json::Number* number = Require(field).AsNumber();
  if (number == nullptr || !(number->value > 0)) FailInvalid(field, "is not a number above zero");
  return number->value;
}

double ConfigReader::PositiveOr(const std::string& field, double fallback) {
  return Read(field) == nullptr ? fallback : Positive(field);
}

bool ConfigReader::BoolOr(const std::string& field, bool fallback) {
  const json::Value* value = Read(field);
  if (value == nullptr) return fallback;
  if (value->AsBool() == nullptr) FailInvalid(field, "is not true or false");
  return *value->AsBool();
}

std::string ConfigReader::String(const std::string& field) {
  const std::string* text = Require(field).AsString();
  if (text == nullptr) FailInvalid(field, "is not a string");
  return *text;
}

std::string ConfigReader::StringOr(const std::string& field, const std::string& fallback) {
  return Read(field) == nullptr ? fallback : String(field);
}

std::optional<std::vector<int64_t>> ConfigReader::IntArray(const std::string& field, int64_t low,
                                                           int64_t high) {
  const json::Value* value = Read(field);
  if (value == nullptr) return std::nullopt;
  if (value->AsArray() == nullptr) FailInvalid(field, "is not an array");
  std::vector<int64_t> numbers;
  for (const json::Value& item : *value->AsArray()) {
    numbers.push_back(CheckInt(field, item, low, high));
  }
  return numbers;
}

std::optional<std::vector<std::string>> ConfigReader::StringArray(const std::string& field) {
  const json::Value* value = Read(field);
  if (value == nullptr) return std::nullopt;
  if (value->AsArray() == nullptr) FailInvalid(field, "is not an array");
  std::vector<std::string> texts;
  for (const json::Value& item : *value->AsArray()) {
    if (item.AsString() == nullptr) FailInvalid(field, "holds something that is not a string");
    texts.push_back(*item.AsString());
  }
  return texts;
}

std::optional<ConfigReader> ConfigReader::Nested(const std::string& field) {
  const json::Value* value = Read(field);
  if (value == nullptr) return std::nullopt;
  if (value->AsObject() == nullptr) FailInvalid(field, "is not an object");
  return ConfigReader(*value->AsObject(), where_ + ": " + field);
}

void ConfigReader::Ignore(std::initializer_list<const char*> fields) {
  for (const char* field : fields) read_.insert(field);
}

void ConfigReader::RefuseTrue(const std::string& field, const std::string& reason) {
  if (BoolOr(field, false)) FailUnsupported(field, "is true: " + reason);
}

void ConfigReader::RefuseUnread() const {
  for (const auto& [name, value] : object_) {
    if (value.IsNull() || name.starts_with('_') || read_.contains(name)) continue;
    FailUnsupported(name, "is a field that this engine does not know; it may change the result");
  }
}

}  // namespace longsight

// Typed access to config.json that forgets nothing: a field that nobody read or declared harmless
// is an error.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/json.h"

namespace longsight {

// Reads the members of one JSON object. Every failure is an Error(kModelUnsupported) or, for a
// value of the wrong type or range, Error(kModelFileInvalid), and names the field. A member that is
// null counts as absent.
class ConfigReader {
 public:
  // `object` must outlive the reader; `where` opens each message, such as "config.json".
  ConfigReader(const json::Object& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  bool Has(const std::string& field) const;
  // A whole number within [low, high].
  int64_t Int(const std::string& field, int64_t low, int64_t high);
  int64_t IntOr(const std::string& field, int64_t low, int64_t high, int64_t fallback);
  // A finite number above zero.
  double Positive(const std::string& field);
  double PositiveOr(const std::string& field, double fallback);
  bool BoolOr(const std::string& field, bool fallback);
  std::string String(const std::string& field);
  std::string StringOr(const std::string& field, const std::string& fallback);
  std::optional<std::vector<int64_t>> IntArray(const std::string& field, int64_t low, int64_t high);
  std::optional<std::vector<std::string>> StringArray(const std::string& field);
  // The nested object, or nothing. The nested reader keeps its own account of unread fields.
  std::optional<ConfigReader> Nested(const std::string& field);

  // Fields without influence on the forward pass.
  void Ignore(std::initializer_list<const char*> fields);
  // Fails when the field is present with a value other than false.
  void RefuseTrue(const std::string& field, const std::string& reason);
  // Fails with the first field that is neither read nor ignored.
  void RefuseUnread() const;

  [[noreturn]] void FailInvalid(const std::string& field, const std::string& message) const;
  [[noreturn]] void FailUnsupported(const std::string& field, const std::string& message) const;

 private:
  // Marks the field as read; null when it is absent or JSON null.
  const json::Value* Read(const std::string& field);
  const json::Value& Require(const std::string& field);
  int64_t CheckInt(const std::string& field, const json::Value& value, int64_t low,
                   int64_t high) const;

  const json::Object& object_;
  std::string where_;
  std::set<std::string> read_;
};

}  // namespace longsight

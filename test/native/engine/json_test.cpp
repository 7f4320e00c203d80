// The JSON reader: what RFC 8259 allows is read, everything else is refused with its place.
#include "engine/json.h"

#include <string>

#include "check.h"

namespace longsight::test {
namespace {

void ExpectRefused(const std::string& text, const std::string& part) {
  try {
    json::Parse(text);
  } catch (const json::ParseError& error) {
    CHECK_WITH(std::string(error.what()).find(part) != std::string::npos,
               text + " -> " + error.what());
    return;
  }
  CHECK_WITH(false, "accepted: " + text);
}

void ReadsValues() {
  const json::Value value = json::Parse(
      R"( {"a": [1, -2.5e3, true, null], "b": {"c": "\u00e9\ud83d\ude00\n\/"}, "d": 9007199254740993} )");
  const json::Array& a = *value.Find("a")->AsArray();
  CHECK(a.size() == 4);
  CHECK(a[0].AsNumber()->is_integer && a[0].AsNumber()->integer == 1);
  CHECK(!a[1].AsNumber()->is_integer && a[1].AsNumber()->value == -2500.0);
  CHECK(*a[2].AsBool());
  CHECK(a[3].IsNull());
  CHECK(*value.Find("b")->Find("c")->AsString() == "\xC3\xA9\xF0\x9F\x98\x80\n/");
  // Not representable as a double: the integer must survive.
  CHECK(value.Find("d")->AsNumber()->integer == 9007199254740993);
  CHECK(value.Find("missing") == nullptr);
  CHECK(json::Parse("[]").AsArray()->empty());
  CHECK(json::Parse("-0").AsNumber()->is_integer);
  CHECK(!json::Parse("9223372036854775808").AsNumber()->is_integer);
}

void RefusesDamage() {
  ExpectRefused("", "ends too early");
  ExpectRefused("{\"a\": 1", "ends too early");
  ExpectRefused("{} x", "after the end");
  ExpectRefused("{\"a\": 1, \"a\": 2}", "duplicate key \"a\"");
  ExpectRefused("{\"a\": 1, \"\\u0061\": 2}", "duplicate key \"a\"");
  ExpectRefused("[1,]", "expected a JSON value");
  ExpectRefused("[01]", "expected ']'");
  ExpectRefused("[1.]", "expected a digit");
  ExpectRefused("[+1]", "expected a JSON value");
  ExpectRefused("[NaN]", "expected a JSON value");
  ExpectRefused("[1e999]", "out of range");
  ExpectRefused("\"\\ud800\"", "lone surrogate");
  ExpectRefused("\"\\ud800\\u0041\"", "lone surrogate");
  ExpectRefused("\"\\x\"", "unknown escape");
  ExpectRefused("\"\\u12\"", "\\u escape");
  ExpectRefused("\"a\nb\"", "control character");
  ExpectRefused("\"\xC0\x80\"", "not valid UTF-8");      // overlong
  ExpectRefused("\"\xED\xA0\x80\"", "not valid UTF-8");  // surrogate
  ExpectRefused("\"\xF4\x90\x80\x80\"", "not valid UTF-8");
  ExpectRefused("\"\xE2\x82", "not valid UTF-8");
}

void BoundsNesting() {
  const std::string open(100000, '['), close(100000, ']');
  ExpectRefused(open + close, "nested too deeply");
  CHECK(json::Parse(std::string(64, '[') + std::string(64, ']')).AsArray() != nullptr);
  ExpectRefused(std::string(65, '[') + std::string(65, ']'), "nested too deeply");
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::ReadsValues();
  longsight::test::RefusesDamage();
  longsight::test::BoundsNesting();
  return longsight::test::Finish("json_test");
}

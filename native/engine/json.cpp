#include "engine/json.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <unordered_set>

#include "engine/utf8.h"

namespace longsight::json {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Of text that is a JSON number; infinite when a double cannot hold it.
double ParseDouble(const char* first, const char* last) {
#ifdef __cpp_lib_to_chars
  double value = 0;
  const auto result = std::from_chars(first, last, value);
  return result.ec == std::errc() ? value : std::numeric_limits<double>::infinity();
#else
  // libc++ has no from_chars for doubles; Node leaves the C locale as it is, so the point is a
  // point.
  return std::strtod(std::string(first, last).c_str(), nullptr);
#endif
}

class Parser {
 public:
  Parser(std::string_view text, int max_depth) : text_(text), depth_left_(max_depth) {}

  Value ParseDocument() {
    Value value = ParseValue();
    SkipSpace();
    if (at_ != text_.size()) Fail("text after the end of the JSON value");
    return value;
  }

 private:
  [[noreturn]] void Fail(const std::string& message) const { throw ParseError(message, at_); }

  void SkipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  char Peek() const {
    if (at_ >= text_.size()) Fail("the JSON text ends too early");
    return text_[at_];
  }

  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void Expect(char c) {
    if (Peek() != c) Fail(std::string("expected '") + c + "'");
    ++at_;
  }

  void ExpectWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) Fail("expected a JSON value");
    at_ += word.size();
  }

  Value ParseValue() {
    SkipSpace();
    switch (Peek()) {
      case '{':
        return ParseObject();
      case '[':
        return ParseArray();
      case '"':
        return Value(ParseString());
      case 't':
        ExpectWord("true");
        return Value(true);
      case 'f':
        ExpectWord("false");
        return Value(false);
      case 'n':
        ExpectWord("null");
        return Value();
      default:
        return Value(ParseNumber());
    }
  }

  void Descend() {
    if (--depth_left_ < 0) Fail("JSON nested too deeply");
  }

  Value ParseObject() {
    Descend();
    Expect('{');
    Object members;
    std::unordered_set<std::string> keys;
    SkipSpace();
    if (!Take('}')) {
      do {
        SkipSpace();
        std::string key = ParseString();
        if (!keys.insert(key).second) Fail("duplicate key \"" + key + "\"");
        SkipSpace();
        Expect(':');
        members.emplace_back(std::move(key), ParseValue());
        SkipSpace();
      } while (Take(','));
      Expect('}');
    }
    ++depth_left_;
    return Value(std::move(members));
  }

  Value ParseArray() {
    Descend();
    Expect('[');
    Array items;
    SkipSpace();
    if (!Take(']')) {
      do {
        items.push_back(ParseValue());
        SkipSpace();
      } while (Take(','));
      Expect(']');
    }
    ++depth_left_;
    return Value(std::move(items));
  }

  std::string ParseString() {
    Expect('"');
    std::string out;
    for (;;) {
      const char c = Peek();
      if (static_cast<unsigned char>(c) < 0x20) Fail("a control character in a string");
      ++at_;
      if (c == '"') return out;
      if (c == '\\') {
        ParseEscape(out);
      } else {
        out += c;
      }
    }
  }

  void ParseEscape(std::string& out) {
    const char c = Peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out += c;
        return;
      case 'b':
        out += '\b';
        return;
      case 'f':
        out += '\f';
        return;
      case 'n':
        out += '\n';
        return;
      case 'r':
        out += '\r';
        return;
      case 't':
        out += '\t';
        return;
      case 'u':
        AppendUtf8(ParseCodePoint(), out);
        return;
      default:
        Fail("an unknown escape in a string");
    }
  }

  uint32_t ParseHex4() {
    if (text_.size() - at_ < 4) Fail("an incomplete \\u escape");
    uint32_t unit = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, begin + 4, unit, 16);
    if (error != std::errc() || end != begin + 4) Fail("an invalid \\u escape");
    at_ += 4;
    return unit;
  }

  // After "\u": one code point, of one unit or of a surrogate pair.
  uint32_t ParseCodePoint() {
    const uint32_t first = ParseHex4();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || !Take('\\') || !Take('u')) Fail("a lone surrogate in a string");
    const uint32_t second = ParseHex4();
    if (second < 0xDC00 || second > 0xDFFF) Fail("a lone surrogate in a string");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  void SkipDigits() {
    if (!IsDigit(Peek())) Fail("expected a digit");
    while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
  }

  Number ParseNumber() {
    const size_t begin = at_;
    Take('-');
    if (at_ >= text_.size() || !IsDigit(text_[at_])) Fail("expected a JSON value");
    if (!Take('0')) SkipDigits();
    bool is_integer = true;
    if (Take('.')) {
      is_integer = false;
      SkipDigits();
    }
    if (Take('e') || Take('E')) {
      is_integer = false;
      if (!Take('+')) Take('-');
      SkipDigits();
    }
    const char* first = text_.data() + begin;
    const char* last = text_.data() + at_;
    Number number{ParseDouble(first, last), false, 0};
    if (!std::isfinite(number.value)) Fail("a number out of range");
    if (is_integer) {
      number.is_integer = std::from_chars(first, last, number.integer).ec == std::errc();
    }
    return number;
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_left_;
};

}  // namespace

const Value* Value::Find(std::string_view key) const {
  const Object* object = AsObject();
  if (object == nullptr) return nullptr;
  for (const auto& [name, value] : *object) {
    if (name == key) return &value;
  }
  return nullptr;
}

const char* Value::TypeName() const {
  static constexpr const char* kNames[] = {"null",     "a boolean", "a number",
                                           "a string", "an array",  "an object"};
  return kNames[data_.index()];
}

Value Parse(std::string_view text, int max_depth) {
  if (!IsValidUtf8(text)) throw ParseError("the text is not valid UTF-8", 0);
  return Parser(text, max_depth).ParseDocument();
}

}  // namespace longsight::json

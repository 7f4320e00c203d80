#include "src/arguments.h"

#include <cmath>
#include <limits>

#include "src/errors.h"

namespace longsight::addon {
namespace {

constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;

}  // namespace

void Arguments::Fail(const std::string& name, const std::string& expected) const {
  throw MakeError(info_.Env(), ErrorCode::kInvalidArgument,
                  method_ + ": " + name + " must be " + expected);
}

std::string Arguments::String(size_t index, const char* name) const {
  if (!info_[index].IsString()) Fail(name, "a string");
  return info_[index].As<Napi::String>().Utf8Value();
}

int64_t Arguments::CheckInteger(const Napi::Value& value, const char* name, int64_t low) const {
  const std::string expected = "a whole number from " + std::to_string(low) + " to 2^53 - 1";
  if (!value.IsNumber()) Fail(name, expected);
  const double number = value.As<Napi::Number>().DoubleValue();
  // The comparison is false for NaN.
  const bool in_range =
      number >= static_cast<double>(low) && number <= static_cast<double>(kMaxSafeInteger);
  if (!in_range || std::floor(number) != number) Fail(name, expected);
  return static_cast<int64_t>(number);
}

int64_t Arguments::Integer(size_t index, const char* name, int64_t low) const {
  return CheckInteger(info_[index], name, low);
}

Napi::Object Arguments::Object(size_t index, const char* name) const {
  if (!info_[index].IsObject()) Fail(name, "an object");
  return info_[index].As<Napi::Object>();
}

Napi::Function Arguments::Function(size_t index, const char* name) const {
  if (!info_[index].IsFunction()) Fail(name, "a function");
  return info_[index].As<Napi::Function>();
}

std::vector<uint32_t> Arguments::CheckUint32Array(const Napi::Value& value,
                                                  const char* name) const {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
    Fail(name, "a Uint32Array");
  }
  const auto array = value.As<Napi::Uint32Array>();
  const uint32_t* data = array.Data();
  return std::vector<uint32_t>(data, data + array.ElementLength());
}

std::vector<uint32_t> Arguments::Tokens(size_t index, const char* name) const {
  return CheckUint32Array(info_[index], name);
}

Napi::Int32Array Arguments::SharedFlag(size_t index, const char* name) const {
  const char* expected = "an Int32Array over a SharedArrayBuffer";
  const Napi::Value value = info_[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    Fail(name, expected);
  }
  const auto array = value.As<Napi::Int32Array>();
  const Napi::Value buffer = array.Get("buffer");
  if (array.ElementLength() < 1 || buffer.IsArrayBuffer()) Fail(name, expected);
  return array;
}

std::string Arguments::StringField(const Napi::Object& options, const char* field) const {
  const Napi::Value value = options.Get(field);
  if (!value.IsString()) Fail(field, "a string");
  return value.As<Napi::String>().Utf8Value();
}

double Arguments::NumberField(const Napi::Object& options, const char* field) const {
  const Napi::Value value = options.Get(field);
  if (!value.IsNumber()) Fail(field, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

int64_t Arguments::IntegerField(const Napi::Object& options, const char* field, int64_t low) const {
  return CheckInteger(options.Get(field), field, low);
}

std::vector<std::string> Arguments::StringListField(const Napi::Object& options,
                                                    const char* field) const {
  const Napi::Value value = options.Get(field);
  if (!value.IsArray()) Fail(field, "an array of strings");
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    if (!item.IsString()) Fail(field, "an array of strings");
    strings.push_back(item.As<Napi::String>().Utf8Value());
  }
  return strings;
}

std::vector<uint32_t> Arguments::Uint32ArrayField(const Napi::Object& options,
                                                  const char* field) const {
  return CheckUint32Array(options.Get(field), field);
}

std::vector<uint32_t> Arguments::TokenListField(const Napi::Object& options,
                                                const char* field) const {
  const Napi::Value value = options.Get(field);
  if (!value.IsArray()) Fail(field, "an array of token ids");
  const auto array = value.As<Napi::Array>();
  std::vector<uint32_t> tokens;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const int64_t id = CheckInteger(array.Get(i), field, 0);
    if (id > std::numeric_limits<uint32_t>::max()) Fail(field, "an array of token ids");
    tokens.push_back(static_cast<uint32_t>(id));
  }
  return tokens;
}

}  // namespace longsight::addon

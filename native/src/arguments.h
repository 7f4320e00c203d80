// A method's arguments, checked by position and type before anything is done with them. JS thread.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace longsight::addon {

// Every getter throws a TypeError with code "invalid-argument" that names the method, the argument
// and what it should be.
class Arguments {
 public:
  Arguments(const Napi::CallbackInfo& info, std::string method)
      : info_(info), method_(std::move(method)) {}

  std::string String(size_t index, const char* name) const;
  // A whole number from `low` to 2^53 - 1.
  int64_t Integer(size_t index, const char* name, int64_t low) const;
  Napi::Object Object(size_t index, const char* name) const;
  Napi::Function Function(size_t index, const char* name) const;
  // A copy: the caller may change or transfer its buffer while the engine works.
  std::vector<uint32_t> Tokens(size_t index, const char* name) const;
  // An Int32Array of at least one element over a SharedArrayBuffer; one over an ArrayBuffer could
  // be detached, and its memory freed, while the engine polls it.
  Napi::Int32Array SharedFlag(size_t index, const char* name) const;

  // Fields of an options object.
  std::string StringField(const Napi::Object& options, const char* field) const;
  double NumberField(const Napi::Object& options, const char* field) const;
  int64_t IntegerField(const Napi::Object& options, const char* field, int64_t low) const;
  std::vector<std::string> StringListField(const Napi::Object& options, const char* field) const;
  // A copy, as Tokens gives.
  std::vector<uint32_t> Uint32ArrayField(const Napi::Object& options, const char* field) const;
  std::vector<uint32_t> TokenListField(const Napi::Object& options, const char* field) const;

  [[noreturn]] void Fail(const std::string& name, const std::string& expected) const;

 private:
  std::vector<uint32_t> CheckUint32Array(const Napi::Value& value, const char* name) const;
  int64_t CheckInteger(const Napi::Value& value, const char* name, int64_t low) const;

  const Napi::CallbackInfo& info_;
  std::string method_;
};

}  // namespace longsight::addon

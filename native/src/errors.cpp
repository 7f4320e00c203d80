#include "src/errors.h"

namespace longsight::addon {

Napi::Error MakeError(Napi::Env env, ErrorCode code, const std::string& message) {
  Napi::Error error = code == ErrorCode::kInvalidArgument
                          ? static_cast<Napi::Error>(Napi::TypeError::New(env, message))
                          : Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, ErrorCodeName(code)));
  return error;
}

}  // namespace longsight::addon

#pragma once

#include <napi.h>

#include <string>

#include "engine/error.h"

namespace longsight::addon {

// A JavaScript Error with `code` from the daemon's catalogue. JS thread.
Napi::Error MakeError(Napi::Env env, ErrorCode code, const std::string& message);

// Runs `work`, turning the engine's and the standard library's exceptions into JavaScript ones. JS
// thread.
template <typename Work>
auto TranslateErrors(Napi::Env env, Work&& work) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (const Error& error) {
    throw MakeError(env, error.code(), error.what());
  } catch (const std::exception& error) {
    throw MakeError(env, ErrorCode::kInternal, error.what());
  } catch (...) {
    throw MakeError(env, ErrorCode::kInternal, "an unknown exception in the engine");
  }
}

}  // namespace longsight::addon

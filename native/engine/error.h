// The engine's failures: one exception type, whose code is one of the daemon's error catalogue.
#pragma once

#include <stdexcept>
#include <string>

namespace longsight {

enum class ErrorCode {
  kModelFileMissing,
  kModelFileInvalid,
  kModelUnsupported,
  kNotEnoughMemory,
  kDeviceUnavailable,
  kOverBudget,
  kQuestionTooLong,
  kInvalidArgument,
  kEngineDied,  // the device failed for good: only another process can use it
  kEngineStopped,
  kCancelled,
  kInternal,
};

// The name in daemon/protocol/errors.ts, such as "model-file-invalid". A static string.
const char* ErrorCodeName(ErrorCode code);

// `what()` is a sentence for the user: it names the file, tensor or argument and the value that was
// met.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace longsight

#include "engine/error.h"

namespace longsight {

const char* ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kModelFileMissing:
      return "model-file-missing";
    case ErrorCode::kModelFileInvalid:
      return "model-file-invalid";
    case ErrorCode::kModelUnsupported:
      return "model-unsupported";
    case ErrorCode::kNotEnoughMemory:
      return "not-enough-memory";
    case ErrorCode::kDeviceUnavailable:
      return "device-unavailable";
    case ErrorCode::kOverBudget:
      return "over-budget";
    case ErrorCode::kQuestionTooLong:
      return "question-too-long";
    case ErrorCode::kInvalidArgument:
      return "invalid-argument";
    case ErrorCode::kEngineDied:
      return "engine-died";
    case ErrorCode::kEngineStopped:
      return "engine-stopped";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

}  // namespace longsight

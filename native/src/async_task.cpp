#include "src/async_task.h"

#include <new>

#include "src/errors.h"

namespace longsight::addon {

AsyncTask::AsyncTask(Napi::Env env)
    : Napi::AsyncWorker(env, "longsight"), deferred_(Napi::Promise::Deferred::New(env)) {}

void AsyncTask::Execute() {
  try {
    Run();
  } catch (const Error& error) {
    failure_ = Failure{error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    failure_ = Failure{ErrorCode::kNotEnoughMemory, "the engine ran out of memory"};
  } catch (const std::exception& error) {
    failure_ = Failure{ErrorCode::kInternal, error.what()};
  } catch (...) {
    failure_ = Failure{ErrorCode::kInternal, "an unknown exception in the engine"};
  }
}

void AsyncTask::OnOK() {
  Settle();
  if (settled_) settled_();
}

// Execute throws nothing, so this is libuv refusing the work (napi_cancelled, at shutdown).
void AsyncTask::OnError(const Napi::Error& error) {
  deferred_.Reject(error.Value());
  if (settled_) settled_();
}

void AsyncTask::Settle() {
  const Napi::Env env = Env();
  try {
    const std::optional<Napi::Error> callback_failure = BeforeSettling();
    if (callback_failure) {
      deferred_.Reject(callback_failure->Value());
    } else if (failure_) {
      deferred_.Reject(MakeError(env, failure_->code, failure_->message).Value());
    } else {
      deferred_.Resolve(Result(env));
    }
  } catch (const Napi::Error& error) {
    deferred_.Reject(error.Value());
  } catch (const std::exception& error) {
    deferred_.Reject(MakeError(env, ErrorCode::kInternal, error.what()).Value());
  }
}

}  // namespace longsight::addon

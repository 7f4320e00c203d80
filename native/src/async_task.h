// The one async class of the addon: work on a thread of libuv's pool, a promise on the JS thread.
#pragma once

#include <napi.h>

#include <functional>
#include <optional>
#include <string>

#include "engine/error.h"

namespace longsight::addon {

// Deletes itself after its promise is settled. A subclass does its work in Run, which must not
// touch JavaScript.
class AsyncTask : public Napi::AsyncWorker {
 public:
  explicit AsyncTask(Napi::Env env);

  Napi::Promise promise() const { return deferred_.Promise(); }
  // Called on the JS thread when the promise has been settled.
  void OnSettled(std::function<void()> listener) { settled_ = std::move(listener); }

 protected:
  // Worker thread. Throws Error or any other exception.
  virtual void Run() = 0;
  // JS thread, after Run, whether it failed or not: the last chance to deliver events. What it
  // returns rejects the promise.
  virtual std::optional<Napi::Error> BeforeSettling() { return std::nullopt; }
  // JS thread, after a Run that succeeded.
  virtual Napi::Value Result(Napi::Env env) = 0;

 private:
  struct Failure {
    ErrorCode code;
    std::string message;
  };
  void Execute() final;
  void OnOK() final;
  void OnError(const Napi::Error& error) final;
  void Settle();

  Napi::Promise::Deferred deferred_;
  std::optional<Failure> failure_;
  std::function<void()> settled_;
};

}  // namespace longsight::addon

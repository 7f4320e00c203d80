#include "src/prefill_task.h"

#include <utility>

#include "src/cancel_watch.h"
#include "src/kv_object.h"

namespace longsight::addon {
namespace {

// Only the newest figure counts.
EventQueue<int64_t>::Deliver ReportProgress(size_t total) {
  return [total](const Napi::Function& callback, const std::vector<int64_t>& processed) {
    const Napi::Env env = callback.Env();
    callback.Call({Napi::Number::New(env, static_cast<double>(processed.back())),
                   Napi::Number::New(env, static_cast<double>(total))});
  };
}

}  // namespace

PrefillTask::PrefillTask(Napi::Env env, std::shared_ptr<LoadedModel> model, PrefillRequest request)
    : AsyncTask(env),
      model_(std::move(model)),
      base_(std::move(request.base)),
      tokens_(std::move(request.tokens)),
      chunk_tokens_(request.chunk_tokens),
      cancel_owner_(Napi::Persistent(request.cancel.As<Napi::Object>())),
      cancel_flag_(request.cancel.Data()),
      progress_(env, request.on_progress, ReportProgress(tokens_.size())) {}

void PrefillTask::Run() {
  std::atomic<bool> cancel{false};
  const LoadedModel::Running running(*model_, cancel);
  const CancelWatch watch(cancel_flag_, cancel);
  result_ = model_->engine->Prefill(base_, tokens_, chunk_tokens_, cancel,
                                    [this](int64_t processed) { progress_.Push(processed); });
}

Napi::Value PrefillTask::Result(Napi::Env env) {
  return KvObject::Create(env, model_, std::move(result_));
}

}  // namespace longsight::addon

#include "src/kv_move_task.h"

#include <atomic>
#include <utility>

#include "src/kv_object.h"

namespace longsight::addon {

KvMoveTask::KvMoveTask(Napi::Env env, Napi::Object handle, KvObject& object,
                       std::optional<int64_t> most_bytes)
    : AsyncTask(env),
      handle_(Napi::Persistent(handle)),
      object_(object),
      model_(object.model()),
      most_bytes_(most_bytes),
      stowed_(object.stowed()) {
  if (object.state()) state_ = *object.state();
}

void KvMoveTask::Run() {
  std::atomic<bool> cancel{false};
  const LoadedModel::Running running(*model_, cancel);
  if (most_bytes_) {
    stowed_ = model_->engine->kv_store().Stow(state_, *most_bytes_);
    state_ = {};
  } else {
    state_ = model_->engine->Restore(*stowed_);
    stowed_.reset();
  }
  moved_ = true;
}

std::optional<Napi::Error> KvMoveTask::BeforeSettling() {
  object_.EndMove(moved_, std::move(state_), std::move(stowed_));
  return std::nullopt;
}

}  // namespace longsight::addon

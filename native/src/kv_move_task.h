#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "src/async_task.h"
#include "src/loaded_model.h"

namespace longsight::addon {

class KvObject;

// Moves what a handle holds to the machine's memory, or back to the device's. Beside the model's
// other tasks, not among them.
class KvMoveTask final : public AsyncTask {
 public:
  // `handle`: the KvObject's JavaScript object, `object` within it. With `most_bytes` to the
  // machine's memory, without back.
  KvMoveTask(Napi::Env env, Napi::Object handle, KvObject& object,
             std::optional<int64_t> most_bytes);

 private:
  void Run() override;
  std::optional<Napi::Error> BeforeSettling() override;
  Napi::Value Result(Napi::Env env) override { return env.Undefined(); }

  // Keeps `object_` alive.
  Napi::ObjectReference handle_;
  KvObject& object_;
  std::shared_ptr<LoadedModel> model_;
  std::optional<int64_t> most_bytes_;
  KvState state_;
  std::optional<StowedKv> stowed_;
  bool moved_ = false;
};

}  // namespace longsight::addon

#pragma once

#include <napi.h>

#include <memory>
#include <optional>

#include "engine/kv_state.h"
#include "src/arguments.h"
#include "src/loaded_model.h"

namespace longsight::addon {

// NativeKv of addon.d.ts: a handle to a KV state of one model, on the device or in the machine's
// memory. JS thread.
class KvObject : public Napi::ObjectWrap<KvObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Create(Napi::Env env, std::shared_ptr<LoadedModel> model, KvState state);
  // The state behind an argument; throws "invalid-argument" when it is no live handle of `model`.
  static KvState StateOf(const Arguments& arguments, const Napi::Value& value, const char* name,
                         const LoadedModel& model);

  // At most one of the two; none once it has been released.
  const std::optional<KvState>& state() const { return state_; }
  const std::optional<StowedKv>& stowed() const { return stowed_; }
  const std::shared_ptr<LoadedModel>& model() const { return model_; }
  // What a move has come to; a handle that was released meanwhile stays so.
  void EndMove(bool moved, KvState state, std::optional<StowedKv> stowed);

  // Makes a released handle; Create fills it.
  explicit KvObject(const Napi::CallbackInfo& info);
  ~KvObject() override;

 private:
  Napi::Value TokenCount(const Napi::CallbackInfo& info);
  Napi::Value Type(const Napi::CallbackInfo& info);
  Napi::Value Bytes(const Napi::CallbackInfo& info);
  Napi::Value Place(const Napi::CallbackInfo& info);
  Napi::Value View(const Napi::CallbackInfo& info);
  Napi::Value Stow(const Napi::CallbackInfo& info);
  Napi::Value Restore(const Napi::CallbackInfo& info);
  Napi::Value Move(const Napi::CallbackInfo& info, std::optional<int64_t> most_bytes);
  void Release(const Napi::CallbackInfo& info);
  void Drop();

  std::shared_ptr<LoadedModel> model_;
  std::optional<KvState> state_;
  std::optional<StowedKv> stowed_;
  bool moving_ = false;
};

}  // namespace longsight::addon

#pragma once

#include <napi.h>

#include <memory>

#include "src/loaded_model.h"

namespace longsight::addon {

// NativeModel of addon.d.ts. JS thread.
class ModelObject : public Napi::ObjectWrap<ModelObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Create(Napi::Env env, std::shared_ptr<LoadedModel> model);

  // Makes an object without a model; Create fills it.
  explicit ModelObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Info(const Napi::CallbackInfo& info);
  Napi::Value Plan(const Napi::CallbackInfo& info);
  Napi::Value EmptyKv(const Napi::CallbackInfo& info);
  Napi::Value Prefill(const Napi::CallbackInfo& info);
  Napi::Value TryPatterns(const Napi::CallbackInfo& info);
  Napi::Value Generate(const Napi::CallbackInfo& info);
  Napi::Value Logits(const Napi::CallbackInfo& info);
  Napi::Value Memory(const Napi::CallbackInfo& info);
  void Dispose(const Napi::CallbackInfo& info);

  // Throws "engine-stopped" after dispose.
  const std::shared_ptr<LoadedModel>& Live(Napi::Env env) const;

  std::shared_ptr<LoadedModel> model_;
};

}  // namespace longsight::addon

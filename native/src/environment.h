// State of one JavaScript environment: the addon may be loaded by several (worker threads), and
// shares nothing between them.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "src/loaded_model.h"

namespace longsight::addon {

class Environment {
 public:
  // JS thread, once per environment.
  static void Create(Napi::Env env);
  static Environment& Of(Napi::Env env);

  void Register(const std::shared_ptr<LoadedModel>& model);
  // Cancels whatever runs: Node waits for its thread pool at exit, and a prefill may take minutes.
  void StopAll();

  Napi::FunctionReference model_constructor;
  Napi::FunctionReference kv_constructor;

 private:
  std::vector<std::weak_ptr<LoadedModel>> models_;
};

}  // namespace longsight::addon

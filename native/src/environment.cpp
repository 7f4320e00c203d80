#include "src/environment.h"

#include <algorithm>

namespace longsight::addon {

void Environment::Create(Napi::Env env) {
  auto* environment = new Environment();
  env.SetInstanceData(environment);  // deleted by Node with the environment
  // On "exit" rather than in a cleanup hook: those run only after the thread pool has been waited
  // for.
  const Napi::Object process = env.Global().Get("process").As<Napi::Object>();
  const Napi::Function stop = Napi::Function::New(
      env, [](const Napi::CallbackInfo& info) { Environment::Of(info.Env()).StopAll(); });
  process.Get("on").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), stop});
}

Environment& Environment::Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void Environment::Register(const std::shared_ptr<LoadedModel>& model) {
  std::erase_if(models_, [](const auto& known) { return known.expired(); });
  models_.push_back(model);
}

void Environment::StopAll() {
  for (const std::weak_ptr<LoadedModel>& known : models_) {
    if (const std::shared_ptr<LoadedModel> model = known.lock()) model->Stop();
  }
}

}  // namespace longsight::addon

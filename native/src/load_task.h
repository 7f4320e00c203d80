#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/engine.h"
#include "src/async_task.h"
#include "src/model_object.h"

namespace longsight::addon {

class LoadTask final : public AsyncTask {
 public:
  LoadTask(Napi::Env env, std::string model_dir, EngineOptions options)
      : AsyncTask(env), model_dir_(std::move(model_dir)), options_(std::move(options)) {}

 private:
  void Run() override { engine_ = Engine::Load(model_dir_, options_); }

  Napi::Value Result(Napi::Env env) override {
    return ModelObject::Create(env, std::make_shared<LoadedModel>(std::move(engine_)));
  }

  std::string model_dir_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace longsight::addon

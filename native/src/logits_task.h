#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "src/async_task.h"
#include "src/loaded_model.h"

namespace longsight::addon {

class LogitsTask final : public AsyncTask {
 public:
  LogitsTask(Napi::Env env, std::shared_ptr<LoadedModel> model, KvState base,
             std::vector<uint32_t> tokens, int64_t chunk_tokens)
      : AsyncTask(env),
        model_(std::move(model)),
        base_(std::move(base)),
        tokens_(std::move(tokens)),
        chunk_tokens_(chunk_tokens) {}

 private:
  void Run() override {
    std::atomic<bool> cancel{false};
    const LoadedModel::Running running(*model_, cancel);
    logits_ = model_->engine->Logits(base_, tokens_, chunk_tokens_, cancel);
  }

  Napi::Value Result(Napi::Env env) override {
    Napi::Float32Array result = Napi::Float32Array::New(env, logits_.size());
    std::copy(logits_.begin(), logits_.end(), result.Data());
    return result;
  }

  std::shared_ptr<LoadedModel> model_;
  KvState base_;
  std::vector<uint32_t> tokens_;
  int64_t chunk_tokens_;
  std::vector<float> logits_;
};

}  // namespace longsight::addon

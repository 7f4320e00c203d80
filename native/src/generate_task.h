#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "src/arguments.h"
#include "src/async_task.h"
#include "src/event_queue.h"
#include "src/loaded_model.h"

namespace longsight::addon {

struct GenerateRequest {
  KvState base;
  std::vector<uint32_t> tokens;
  GenerateOptions options;
  Napi::Int32Array cancel;
  Napi::Function on_token;  // (tokenId)
};

// Every field is required, as in addon.d.ts.
GenerateOptions ReadGenerateOptions(const Arguments& arguments, const Napi::Object& options);

class GenerateTask final : public AsyncTask {
 public:
  GenerateTask(Napi::Env env, std::shared_ptr<LoadedModel> model, GenerateRequest request);

 private:
  void Run() override;
  std::optional<Napi::Error> BeforeSettling() override { return sampled_.End(); }
  Napi::Value Result(Napi::Env env) override;

  std::shared_ptr<LoadedModel> model_;
  KvState base_;
  std::vector<uint32_t> tokens_;
  GenerateOptions options_;
  // Keeps the flag's memory alive while the engine polls it.
  Napi::ObjectReference cancel_owner_;
  int32_t* cancel_flag_;
  EventQueue<uint32_t> sampled_;
  GenerateResult result_;
};

}  // namespace longsight::addon

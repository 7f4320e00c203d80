#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/arguments.h"
#include "src/async_task.h"
#include "src/event_queue.h"
#include "src/loaded_model.h"

namespace longsight::addon {

struct PrefillRequest {
  KvState base;
  std::vector<uint32_t> tokens;
  int64_t chunk_tokens;
  PrefillSettings settings;
  Napi::Int32Array cancel;
  Napi::Function on_progress;  // (processedTokens, totalTokens)
};

// Calls back with (processedTokens, totalTokens); only the newest figure counts.
EventQueue<int64_t>::Deliver ReportProgress(size_t total);

// "bf16", "fp8" or "f32"; none when it is empty.
std::optional<DType> ReadKvType(const Arguments& arguments, const char* name,
                                const std::string& text);

// Every field is required, as in addon.d.ts; the pattern file is read, and checked against the
// model.
PrefillSettings ReadPrefillSettings(const Arguments& arguments, const Napi::Object& options,
                                    const DecoderSpec& spec);

class PrefillTask final : public AsyncTask {
 public:
  PrefillTask(Napi::Env env, std::shared_ptr<LoadedModel> model, PrefillRequest request);

 private:
  void Run() override;
  std::optional<Napi::Error> BeforeSettling() override { return progress_.End(); }
  Napi::Value Result(Napi::Env env) override;

  std::shared_ptr<LoadedModel> model_;
  KvState base_;
  std::vector<uint32_t> tokens_;
  int64_t chunk_tokens_;
  PrefillSettings settings_;
  // Keeps the flag's memory alive while the engine polls it.
  Napi::ObjectReference cancel_owner_;
  int32_t* cancel_flag_;
  EventQueue<int64_t> progress_;
  PrefillResult result_;
};

}  // namespace longsight::addon

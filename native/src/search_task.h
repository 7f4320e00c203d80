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

struct SearchRequest {
  std::vector<uint32_t> tokens;
  int64_t chunk_tokens;
  PatternTrial trial;
  Napi::Int32Array cancel;
  Napi::Function on_progress;  // (processedTokens, totalTokens)
};

// Every field is required, as in addon.d.ts; candidates are checked against the model.
PatternTrial ReadPatternTrial(const Arguments& arguments, const Napi::Object& options,
                              const DecoderSpec& spec);

class SearchTask final : public AsyncTask {
 public:
  SearchTask(Napi::Env env, std::shared_ptr<LoadedModel> model, SearchRequest request);

 private:
  void Run() override;
  std::optional<Napi::Error> BeforeSettling() override { return progress_.End(); }
  Napi::Value Result(Napi::Env env) override;

  std::shared_ptr<LoadedModel> model_;
  std::vector<uint32_t> tokens_;
  int64_t chunk_tokens_;
  PatternTrial trial_;
  // Keeps the flag's memory alive while the engine polls it.
  Napi::ObjectReference cancel_owner_;
  int32_t* cancel_flag_;
  EventQueue<int64_t> progress_;
  PatternScores scores_;
};

}  // namespace longsight::addon

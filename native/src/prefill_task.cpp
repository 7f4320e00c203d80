#include "src/prefill_task.h"

#include <utility>

#include "src/cancel_watch.h"
#include "src/kv_object.h"

namespace longsight::addon {

EventQueue<int64_t>::Deliver ReportProgress(size_t total) {
  return [total](const Napi::Function& callback, const std::vector<int64_t>& processed) {
    const Napi::Env env = callback.Env();
    callback.Call({Napi::Number::New(env, static_cast<double>(processed.back())),
                   Napi::Number::New(env, static_cast<double>(total))});
  };
}

std::optional<DType> ReadKvType(const Arguments& arguments, const char* name,
                                const std::string& text) {
  if (text.empty()) return std::nullopt;
  for (const DType type : {DType::kBF16, DType::kE4M3, DType::kF32}) {
    if (text == DTypeName(type)) return type;
  }
  arguments.Fail(name, "\"bf16\", \"fp8\", \"f32\" or empty");
}

PrefillSettings ReadPrefillSettings(const Arguments& arguments, const Napi::Object& options,
                                    const DecoderSpec& spec) {
  PrefillSettings settings;
  const std::string mode = arguments.StringField(options, "mode");
  if (mode == "auto") {
    settings.mode = PrefillMode::kAuto;
  } else if (mode == "sparse") {
    settings.mode = PrefillMode::kSparse;
  } else if (mode != "dense") {
    arguments.Fail("mode", "\"auto\", \"dense\" or \"sparse\"");
  }
  settings.recall_floor = arguments.NumberField(options, "recallFloor");
  const bool is_share = settings.recall_floor >= 0 && settings.recall_floor <= 1;
  if (!is_share && settings.recall_floor != -1) {
    arguments.Fail("recallFloor", "a number from 0 to 1, or -1");
  }
  settings.score_from = arguments.IntegerField(options, "scoreFrom", 0);
  settings.kv_type = ReadKvType(arguments, "kv", arguments.StringField(options, "kv"));
  const std::string patterns = arguments.StringField(options, "patterns");
  if (!patterns.empty()) {
    settings.patterns = std::make_shared<HeadPatterns>(
        HeadPatterns::Read(patterns, spec.layer_count(), spec.heads));
  }
  return settings;
}

PrefillTask::PrefillTask(Napi::Env env, std::shared_ptr<LoadedModel> model, PrefillRequest request)
    : AsyncTask(env),
      model_(std::move(model)),
      base_(std::move(request.base)),
      tokens_(std::move(request.tokens)),
      chunk_tokens_(request.chunk_tokens),
      settings_(std::move(request.settings)),
      cancel_owner_(Napi::Persistent(request.cancel.As<Napi::Object>())),
      cancel_flag_(request.cancel.Data()),
      progress_(env, request.on_progress, ReportProgress(tokens_.size())) {}

void PrefillTask::Run() {
  std::atomic<bool> cancel{false};
  const LoadedModel::Running running(*model_, cancel);
  const CancelWatch watch(cancel_flag_, cancel);
  result_ = model_->engine->Prefill(base_, tokens_, chunk_tokens_, settings_, cancel,
                                    [this](int64_t processed) { progress_.Push(processed); });
}

Napi::Value PrefillTask::Result(Napi::Env env) {
  const PrefillReport& report = result_.report;
  Napi::Object told = Napi::Object::New(env);
  told.Set("sparse", report.sparse);
  told.Set("densePairs", report.dense_pairs);
  told.Set("keptPairs", report.kept_pairs);
  told.Set("guardPairs", report.guard_pairs);
  told.Set("recallSum", report.recall_sum);
  told.Set("recallCount", static_cast<double>(report.recall_count));
  told.Set("recallLeast", report.recall_least);
  told.Set("attentionMs", report.attention_ms);
  told.Set("indexMs", report.index_ms);
  told.Set("logLikelihood", report.log_likelihood);
  told.Set("scoredTokens", static_cast<double>(report.scored_tokens));
  Napi::Object result = Napi::Object::New(env);
  result.Set("kv", KvObject::Create(env, model_, std::move(result_.kv)));
  result.Set("report", told);
  return result;
}

}  // namespace longsight::addon

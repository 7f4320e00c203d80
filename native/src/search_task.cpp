#include "src/search_task.h"

#include <utility>

#include "src/cancel_watch.h"
#include "src/prefill_task.h"

namespace longsight::addon {
namespace {

Napi::Float64Array ToArray(Napi::Env env, const std::vector<HeadScore>& heads,
                           double HeadScore::* field) {
  Napi::Float64Array array = Napi::Float64Array::New(env, heads.size());
  for (size_t i = 0; i < heads.size(); ++i) array[i] = heads[i].*field;
  return array;
}

Napi::Object ToObject(Napi::Env env, const CandidateScore& score) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("attentionMs", score.attention_ms);
  object.Set("indexMs", score.index_ms);
  object.Set("pairs", score.pairs);
  object.Set("error", ToArray(env, score.heads, &HeadScore::error));
  object.Set("recall", ToArray(env, score.heads, &HeadScore::recall));
  object.Set("keys", ToArray(env, score.heads, &HeadScore::keys));
  return object;
}

}  // namespace

PatternTrial ReadPatternTrial(const Arguments& arguments, const Napi::Object& options,
                              const DecoderSpec& spec) {
  PatternTrial trial;
  const std::vector<std::string> texts = arguments.StringListField(options, "candidates");
  if (texts.empty()) arguments.Fail("candidates", "at least one head-pattern file's text");
  for (size_t i = 0; i < texts.size(); ++i) {
    trial.candidates.push_back(HeadPatterns::Parse("candidates[" + std::to_string(i) + "]",
                                                   texts[i], spec.layer_count(), spec.heads));
  }
  trial.budget_keys = arguments.IntegerField(options, "budgetKeys", 1);
  trial.sampled_chunks = arguments.IntegerField(options, "sampledChunks", 1);
  trial.repeats = arguments.IntegerField(options, "repeats", 1);
  return trial;
}

SearchTask::SearchTask(Napi::Env env, std::shared_ptr<LoadedModel> model, SearchRequest request)
    : AsyncTask(env),
      model_(std::move(model)),
      tokens_(std::move(request.tokens)),
      chunk_tokens_(request.chunk_tokens),
      trial_(std::move(request.trial)),
      cancel_owner_(Napi::Persistent(request.cancel.As<Napi::Object>())),
      cancel_flag_(request.cancel.Data()),
      progress_(env, request.on_progress, ReportProgress(tokens_.size())) {}

void SearchTask::Run() {
  std::atomic<bool> cancel{false};
  const LoadedModel::Running running(*model_, cancel);
  const CancelWatch watch(cancel_flag_, cancel);
  scores_ = model_->engine->TryPatterns(tokens_, chunk_tokens_, trial_, cancel,
                                        [this](int64_t processed) { progress_.Push(processed); });
}

Napi::Value SearchTask::Result(Napi::Env env) {
  Napi::Object result = Napi::Object::New(env);
  Napi::Array layers = Napi::Array::New(env, scores_.layers.size());
  for (uint32_t i = 0; i < scores_.layers.size(); ++i) {
    layers[i] = Napi::Number::New(env, static_cast<double>(scores_.layers[i]));
  }
  Napi::Array candidates = Napi::Array::New(env, scores_.candidates.size());
  for (uint32_t i = 0; i < scores_.candidates.size(); ++i) {
    candidates[i] = ToObject(env, scores_.candidates[i]);
  }
  result.Set("layers", layers);
  result.Set("chunks", static_cast<double>(scores_.chunks));
  result.Set("rows", static_cast<double>(scores_.rows));
  result.Set("candidates", candidates);
  return result;
}

}  // namespace longsight::addon

#include "src/generate_task.h"

#include <algorithm>
#include <utility>

#include "src/cancel_watch.h"
#include "src/kv_object.h"

namespace longsight::addon {
namespace {

const char* StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kEndToken:
      return "end-token";
    case StopReason::kMaxTokens:
      return "max-tokens";
    case StopReason::kCancelled:
      return "cancelled";
  }
  return "cancelled";
}

void ReportTokens(const Napi::Function& callback, const std::vector<uint32_t>& tokens) {
  for (const uint32_t token : tokens) callback.Call({Napi::Number::New(callback.Env(), token)});
}

}  // namespace

GenerateOptions ReadGenerateOptions(const Arguments& arguments, const Napi::Object& options) {
  GenerateOptions read;
  read.max_tokens = arguments.IntegerField(options, "maxTokens", 1);
  read.chunk_tokens = arguments.IntegerField(options, "chunkTokens", 1);
  read.sampling.temperature = arguments.NumberField(options, "temperature");
  read.sampling.top_k = arguments.IntegerField(options, "topK", 0);
  read.sampling.top_p = arguments.NumberField(options, "topP");
  read.sampling.seed = static_cast<uint64_t>(arguments.IntegerField(options, "seed", 0));
  for (const uint32_t end : arguments.Uint32ArrayField(options, "evidenceEnds")) {
    read.evidence_ends.push_back(end);
  }
  read.end_tokens = arguments.TokenListField(options, "endTokenIds");
  return read;
}

GenerateTask::GenerateTask(Napi::Env env, std::shared_ptr<LoadedModel> model,
                           GenerateRequest request)
    : AsyncTask(env),
      model_(std::move(model)),
      base_(std::move(request.base)),
      tokens_(std::move(request.tokens)),
      options_(std::move(request.options)),
      cancel_owner_(Napi::Persistent(request.cancel.As<Napi::Object>())),
      cancel_flag_(request.cancel.Data()),
      sampled_(env, request.on_token, ReportTokens) {}

void GenerateTask::Run() {
  std::atomic<bool> cancel{false};
  const LoadedModel::Running running(*model_, cancel);
  const CancelWatch watch(cancel_flag_, cancel);
  result_ = model_->engine->Generate(base_, tokens_, options_, cancel,
                                     [this](uint32_t token) { sampled_.Push(token); });
}

Napi::Value GenerateTask::Result(Napi::Env env) {
  Napi::Object result = Napi::Object::New(env);
  Napi::Array ids = Napi::Array::New(env, result_.tokens.size());
  for (uint32_t i = 0; i < result_.tokens.size(); ++i) {
    ids[i] = Napi::Number::New(env, result_.tokens[i]);
  }
  result.Set("tokenIds", ids);
  result.Set("stopReason", StopReasonName(result_.stop_reason));
  result.Set("firstTokenMs", result_.first_token_ms);
  result.Set("decodeMs", result_.decode_ms);
  const std::vector<double>& shares = result_.evidence.shares;
  Napi::Float64Array evidence = Napi::Float64Array::New(env, shares.size());
  std::ranges::copy(shares, evidence.Data());
  result.Set("evidence", evidence);
  result.Set("evidenceMass", result_.evidence.mass);
  result.Set("kv", KvObject::Create(env, model_, std::move(result_.kv)));
  return result;
}

}  // namespace longsight::addon

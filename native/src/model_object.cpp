#include "src/model_object.h"

#include <utility>

#include "engine/system_memory.h"
#include "src/arguments.h"
#include "src/environment.h"
#include "src/errors.h"
#include "src/generate_task.h"
#include "src/kv_object.h"
#include "src/logits_task.h"
#include "src/prefill_task.h"
#include "src/search_task.h"

namespace longsight::addon {
namespace {

void SetNumber(Napi::Object object, const char* name, int64_t value) {
  object.Set(name, Napi::Number::New(object.Env(), static_cast<double>(value)));
}

}  // namespace

Napi::Function ModelObject::Define(Napi::Env env) {
  return DefineClass(
      env, "NativeModel",
      {InstanceMethod<&ModelObject::Info>("info"), InstanceMethod<&ModelObject::Plan>("plan"),
       InstanceMethod<&ModelObject::EmptyKv>("emptyKv"),
       InstanceMethod<&ModelObject::Prefill>("prefill"),
       InstanceMethod<&ModelObject::TryPatterns>("tryPatterns"),
       InstanceMethod<&ModelObject::Generate>("generate"),
       InstanceMethod<&ModelObject::Logits>("logits"),
       InstanceMethod<&ModelObject::Memory>("memory"),
       InstanceMethod<&ModelObject::Dispose>("dispose")});
}

ModelObject::ModelObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelObject>(info) {}

Napi::Value ModelObject::Create(Napi::Env env, std::shared_ptr<LoadedModel> model) {
  const Napi::Object object = Environment::Of(env).model_constructor.New({});
  Environment::Of(env).Register(model);
  Unwrap(object)->model_ = std::move(model);
  return object;
}

const std::shared_ptr<LoadedModel>& ModelObject::Live(Napi::Env env) const {
  if (!model_) throw MakeError(env, ErrorCode::kEngineStopped, "the model has been disposed of");
  return model_;
}

Napi::Value ModelObject::Info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Engine& engine = *Live(env)->engine;
  const DecoderSpec& spec = engine.model().spec;
  Napi::Object result = Napi::Object::New(env);
  result.Set("architecture", spec.architecture);
  SetNumber(result, "layers", spec.layer_count());
  SetNumber(result, "attentionHeads", spec.heads);
  SetNumber(result, "hiddenSize", spec.hidden);
  SetNumber(result, "vocabularySize", spec.vocabulary);
  SetNumber(result, "maxContextTokens", spec.max_context);
  SetNumber(result, "weightsBytes", engine.model().weights_bytes);
  result.Set("kv", DTypeName(engine.kv_layout().type));
  SetNumber(result, "kvBytesPerToken", engine.kv_layout().bytes_per_token());
  result.Set("device", engine.backend().device());
  result.Set("deviceName", engine.backend().device_name());
  SetNumber(result, "deviceBytes", engine.backend().device_bytes());
  result.Set("instructionSet", engine.backend().instruction_set());
  SetNumber(result, "threads", engine.backend().threads());
  const std::vector<uint32_t>& end_tokens = engine.model().end_tokens;
  Napi::Array ids = Napi::Array::New(env, end_tokens.size());
  for (uint32_t i = 0; i < end_tokens.size(); ++i) ids[i] = Napi::Number::New(env, end_tokens[i]);
  result.Set("endTokenIds", ids);
  return result;
}

Napi::Value ModelObject::Plan(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Arguments arguments(info, "plan");
  const int64_t context = arguments.Integer(0, "contextTokens", 0);
  const int64_t chunk = arguments.Integer(1, "chunkTokens", 1);
  const int64_t held = arguments.Integer(2, "heldTokens", 0);
  const std::optional<DType> kv_type = ReadKvType(arguments, "kv", arguments.String(3, "kv"));
  const std::vector<MemoryPlan> choices =
      TranslateErrors(env, [&] { return Live(env)->engine->Plan(context, chunk, held, kv_type); });
  Napi::Array result = Napi::Array::New(env, choices.size());
  for (uint32_t i = 0; i < choices.size(); ++i) {
    const MemoryPlan& plan = choices[i];
    Napi::Object choice = Napi::Object::New(env);
    choice.Set("kv", DTypeName(plan.kv_type));
    SetNumber(choice, "chunkTokens", plan.chunk_tokens);
    SetNumber(choice, "weightsBytes", plan.weights_bytes);
    SetNumber(choice, "kvBytes", plan.kv_bytes);
    SetNumber(choice, "workspaceBytes", plan.workspace_bytes);
    SetNumber(choice, "requiredBytes", plan.required_bytes);
    SetNumber(choice, "availableBytes", plan.available_bytes);
    result[i] = choice;
  }
  return result;
}

Napi::Value ModelObject::EmptyKv(const Napi::CallbackInfo& info) {
  return KvObject::Create(info.Env(), Live(info.Env()), KvState());
}

Napi::Value ModelObject::Prefill(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "prefill");
  const std::shared_ptr<LoadedModel>& model = Live(info.Env());
  PrefillRequest request{
      .base = KvObject::StateOf(arguments, info[0], "base", *model),
      .tokens = arguments.Tokens(1, "tokens"),
      .chunk_tokens = arguments.Integer(2, "chunkTokens", 1),
      .settings = TranslateErrors(info.Env(),
                                  [&] {
                                    return ReadPrefillSettings(arguments,
                                                               arguments.Object(5, "settings"),
                                                               model->engine->model().spec);
                                  }),
      .cancel = arguments.SharedFlag(3, "cancel"),
      .on_progress = arguments.Function(4, "onProgress"),
  };
  return model->tasks->Add(std::make_unique<PrefillTask>(info.Env(), model, std::move(request)));
}

Napi::Value ModelObject::TryPatterns(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Arguments arguments(info, "tryPatterns");
  const std::shared_ptr<LoadedModel>& model = Live(env);
  const Napi::Object trial = arguments.Object(4, "trial");
  SearchRequest request{
      .tokens = arguments.Tokens(0, "tokens"),
      .chunk_tokens = arguments.Integer(1, "chunkTokens", 1),
      .trial = TranslateErrors(
          env, [&] { return ReadPatternTrial(arguments, trial, model->engine->model().spec); }),
      .cancel = arguments.SharedFlag(2, "cancel"),
      .on_progress = arguments.Function(3, "onProgress"),
  };
  return model->tasks->Add(std::make_unique<SearchTask>(env, model, std::move(request)));
}

Napi::Value ModelObject::Generate(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "generate");
  const std::shared_ptr<LoadedModel>& model = Live(info.Env());
  GenerateRequest request{
      .base = KvObject::StateOf(arguments, info[0], "base", *model),
      .tokens = arguments.Tokens(1, "tokens"),
      .options = ReadGenerateOptions(arguments, arguments.Object(2, "options")),
      .cancel = arguments.SharedFlag(3, "cancel"),
      .on_token = arguments.Function(4, "onToken"),
  };
  return model->tasks->Add(std::make_unique<GenerateTask>(info.Env(), model, std::move(request)));
}

Napi::Value ModelObject::Logits(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "logits");
  const std::shared_ptr<LoadedModel>& model = Live(info.Env());
  KvState base = KvObject::StateOf(arguments, info[0], "base", *model);
  std::vector<uint32_t> tokens = arguments.Tokens(1, "tokens");
  const int64_t chunk = arguments.Integer(2, "chunkTokens", 1);
  return model->tasks->Add(
      std::make_unique<LogitsTask>(info.Env(), model, std::move(base), std::move(tokens), chunk));
}

Napi::Value ModelObject::Memory(const Napi::CallbackInfo& info) {
  const LoadedModel& model = *Live(info.Env());
  Napi::Object result = Napi::Object::New(info.Env());
  SetNumber(result, "peakBytes", PeakResidentBytes());
  SetNumber(result, "kvBytes", model.engine->kv_bytes());
  SetNumber(result, "hostKvBytes", model.engine->kv_store().stowed_bytes());
  SetNumber(result, "kvStates", model.kv_states.load());
  return result;
}

// The engine goes when its last task and its last KV handle have gone.
void ModelObject::Dispose(const Napi::CallbackInfo&) {
  if (!model_) return;
  model_->Stop();
  model_.reset();
}

}  // namespace longsight::addon

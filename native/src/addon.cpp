// The addon's entry: what native/addon.d.ts types as `Addon`.
#include <napi.h>

#include <limits>
#include <memory>
#include <string>

#include "engine/backend.h"
#include "src/arguments.h"
#include "src/environment.h"
#include "src/errors.h"
#include "src/kv_object.h"
#include "src/load_task.h"
#include "src/model_object.h"

namespace longsight::addon {
namespace {

// loadModel(modelDir, { device, threads, precision, weights })
Napi::Value LoadModel(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "loadModel");
  std::string model_dir = arguments.String(0, "modelDir");
  const Napi::Object fields = arguments.Object(1, "options");
  EngineOptions options;
  options.device = arguments.StringField(fields, "device");
  const int64_t threads = arguments.IntegerField(fields, "threads", 0);
  if (threads > kMaxThreads) {
    arguments.Fail("threads", "at most " + std::to_string(kMaxThreads) + " (0: one per processor)");
  }
  options.threads = static_cast<int>(threads);
  const std::string precision = arguments.StringField(fields, "precision");
  if (precision == "f32") {
    options.precision = Precision::kF32;
  } else if (precision == "bf16") {
    options.kv = KvType::kBf16;
  } else if (precision == "fp8") {
    options.kv = KvType::kFp8;
  } else if (precision != "auto") {
    arguments.Fail("precision", "\"auto\", \"bf16\", \"fp8\" or \"f32\"");
  }
  if (fields.Has("weights")) {
    const std::string weights = arguments.StringField(fields, "weights");
    if (weights != "bf16" && weights != "fp8") arguments.Fail("weights", "\"bf16\" or \"fp8\"");
    options.weights = weights == "fp8" ? WeightType::kFp8 : WeightType::kBf16;
  }
  auto task = std::make_unique<LoadTask>(info.Env(), std::move(model_dir), std::move(options));
  const Napi::Promise promise = task->promise();
  task.release()->Queue();  // deletes itself
  return promise;
}

Napi::Value Backends(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  names.Set(uint32_t{0}, "cpu");
  if (HasCudaBackend()) names.Set(uint32_t{1}, "cuda");
  return names;
}

Napi::Value InstructionSet(const Napi::CallbackInfo& info) {
  return TranslateErrors(info.Env(), [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), CpuInstructionSet());
  });
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  Environment::Create(env);
  Environment::Of(env).model_constructor = Napi::Persistent(ModelObject::Define(env));
  Environment::Of(env).kv_constructor = Napi::Persistent(KvObject::Define(env));
  exports.Set("loadModel", Napi::Function::New<LoadModel>(env, "loadModel"));
  exports.Set("backends", Napi::Function::New<Backends>(env, "backends"));
  exports.Set("instructionSet", Napi::Function::New<InstructionSet>(env, "instructionSet"));
  return exports;
}

}  // namespace

// Outside the unnamed namespace: the macro refers to it by its plain name.
static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return Init(env, exports); }
NODE_API_MODULE(longsight, InitAddon)

}  // namespace longsight::addon

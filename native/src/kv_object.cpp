#include "src/kv_object.h"

#include <memory>
#include <string>
#include <utility>

#include "src/environment.h"
#include "src/errors.h"
#include "src/kv_move_task.h"

namespace longsight::addon {
namespace {

// Tells our objects from look-alikes with the same prototype, whose unwrapping would read foreign
// memory. Random.
constexpr napi_type_tag kTag = {0x5b1d0c8e7f3a4296u, 0x9e24c1a86d7053bfu};

}  // namespace

Napi::Function KvObject::Define(Napi::Env env) {
  return DefineClass(
      env, "NativeKv",
      {InstanceAccessor<&KvObject::TokenCount>("tokenCount", napi_enumerable),
       InstanceAccessor<&KvObject::Type>("type", napi_enumerable),
       InstanceAccessor<&KvObject::Bytes>("bytes", napi_enumerable),
       InstanceAccessor<&KvObject::Place>("place", napi_enumerable),
       InstanceMethod<&KvObject::View>("view"), InstanceMethod<&KvObject::Stow>("stow"),
       InstanceMethod<&KvObject::Restore>("restore"),
       InstanceMethod<&KvObject::Release>("release")});
}

KvObject::KvObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<KvObject>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

KvObject::~KvObject() { Drop(); }

void KvObject::Drop() {
  if (!state_ && !stowed_) return;
  state_.reset();
  stowed_.reset();
  model_->kv_states.fetch_sub(1);
  model_.reset();
}

Napi::Value KvObject::Create(Napi::Env env, std::shared_ptr<LoadedModel> model, KvState state) {
  const Napi::Object object = Environment::Of(env).kv_constructor.New({});
  KvObject* self = ObjectWrap::Unwrap(object);
  self->model_ = std::move(model);
  self->state_ = std::move(state);
  self->model_->kv_states.fetch_add(1);
  return object;
}

KvState KvObject::StateOf(const Arguments& arguments, const Napi::Value& value, const char* name,
                          const LoadedModel& model) {
  const char* expected = "a NativeKv of this model, on its device, that has not been released";
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    arguments.Fail(name, expected);
  }
  const KvObject* self = ObjectWrap::Unwrap(value.As<Napi::Object>());
  if (!self->state_ || self->model_.get() != &model) arguments.Fail(name, expected);
  return *self->state_;
}

Napi::Value KvObject::TokenCount(const Napi::CallbackInfo& info) {
  const int64_t tokens = state_ ? state_->token_count() : stowed_ ? stowed_->token_count() : 0;
  return Napi::Number::New(info.Env(), static_cast<double>(tokens));
}

Napi::Value KvObject::Type(const Napi::CallbackInfo& info) {
  if (!state_ && !stowed_) return Napi::String::New(info.Env(), "");
  const DType first = model_->engine->kv_layout().type;
  const DType type = stowed_ ? stowed_->type() : state_->type().value_or(first);
  return Napi::String::New(info.Env(), DTypeName(type));
}

Napi::Value KvObject::Bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(state_    ? state_->bytes()
                                                           : stowed_ ? stowed_->bytes()
                                                                     : 0));
}

Napi::Value KvObject::Place(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), state_ ? "device" : stowed_ ? "host" : "");
}

Napi::Value KvObject::View(const Napi::CallbackInfo& info) {
  return TranslateErrors(info.Env(), [&] {
    const int64_t tokens = Arguments(info, "view").Integer(0, "tokenCount", 0);
    if (!state_) {
      throw Error(ErrorCode::kInvalidArgument, "view: this KV state has been released or stowed");
    }
    return Create(info.Env(), model_, state_->View(tokens));
  });
}

Napi::Value KvObject::Stow(const Napi::CallbackInfo& info) {
  const int64_t most = Arguments(info, "stow").Integer(0, "mostBytes", 0);
  return Move(info, most);
}

Napi::Value KvObject::Restore(const Napi::CallbackInfo& info) { return Move(info, std::nullopt); }

Napi::Value KvObject::Move(const Napi::CallbackInfo& info, std::optional<int64_t> most_bytes) {
  const Napi::Env env = info.Env();
  const bool can = most_bytes ? state_.has_value() : stowed_.has_value();
  if (!can || moving_) {
    throw MakeError(env, ErrorCode::kInvalidArgument,
                    std::string(most_bytes ? "stow" : "restore") + ": this KV state is " +
                        (moving_   ? "being moved"
                         : state_  ? "on the device"
                         : stowed_ ? "in the machine's memory"
                                   : "released"));
  }
  moving_ = true;
  auto task = std::make_unique<KvMoveTask>(env, info.This().As<Napi::Object>(), *this, most_bytes);
  const Napi::Promise promise = task->promise();
  task.release()->Queue();  // deletes itself
  return promise;
}

void KvObject::EndMove(bool moved, KvState state, std::optional<StowedKv> stowed) {
  moving_ = false;
  if (!moved || (!state_ && !stowed_)) return;
  stowed_ = std::move(stowed);
  if (stowed_) {
    state_.reset();
  } else {
    state_ = std::move(state);
  }
}

void KvObject::Release(const Napi::CallbackInfo&) { Drop(); }

}  // namespace longsight::addon

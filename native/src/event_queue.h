// Events from a worker thread to a JavaScript callback: in order, coalesced into few calls, none
// lost.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace longsight::addon {

// Created and ended on the JS thread; Push is called on any thread.
template <typename Event>
class EventQueue {
 public:
  // Calls `callback` for a batch of events, oldest first. JS thread.
  using Deliver =
      std::function<void(const Napi::Function& callback, const std::vector<Event>& events)>;

  EventQueue(Napi::Env env, const Napi::Function& callback, Deliver deliver)
      : state_(std::make_shared<State>()),
        // One pending wake-up is enough: it drains everything that came until then.
        wake_(Napi::ThreadSafeFunction::New(env, callback, "longsight events", 1, 1)) {
    state_->callback = Napi::Persistent(callback);
    state_->deliver = std::move(deliver);
  }

  void Push(Event event) {
    {
      const std::lock_guard<std::mutex> lock(state_->mutex);
      state_->events.push_back(std::move(event));
    }
    // napi_queue_full: a wake-up is on its way already.
    wake_.NonBlockingCall([state = state_](Napi::Env, Napi::Function) { state->Drain(); });
  }

  // Delivers what is left. Returns what the callback threw, if it ever did. JS thread, once.
  std::optional<Napi::Error> End() {
    state_->Drain();
    wake_.Release();
    state_->callback.Reset();
    return std::move(state_->failure);
  }

 private:
  struct State {
    std::mutex mutex;
    std::vector<Event> events;
    Napi::FunctionReference callback;
    Deliver deliver;
    // A callback that has thrown is not called again.
    std::optional<Napi::Error> failure;

    void Drain() {
      std::vector<Event> batch;
      {
        const std::lock_guard<std::mutex> lock(mutex);
        batch.swap(events);
      }
      if (batch.empty() || failure || callback.IsEmpty()) return;
      try {
        deliver(callback.Value(), batch);
      } catch (const Napi::Error& error) {
        failure = error;
      }
    }
  };

  std::shared_ptr<State> state_;
  Napi::ThreadSafeFunction wake_;
};

}  // namespace longsight::addon

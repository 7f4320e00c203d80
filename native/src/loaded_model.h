// What the JavaScript objects of one model share: the engine, the order of its tasks, and whether
// it is still wanted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "engine/engine.h"
#include "src/task_queue.h"

namespace longsight::addon {

struct LoadedModel {
  explicit LoadedModel(std::unique_ptr<Engine> loaded) : engine(std::move(loaded)) {}

  const std::unique_ptr<Engine> engine;
  const std::shared_ptr<TaskQueue> tasks = std::make_shared<TaskQueue>();
  // KV handles that JavaScript has not released.
  std::atomic<int64_t> kv_states{0};

  bool stopped() const { return stopped_.load(); }
  // Cancels the running task; later ones fail with engine-stopped. Any thread.
  void Stop();

  // A running task's cancel flag, known to Stop for as long as the guard lives.
  class Running {
   public:
    // Throws Error(kEngineStopped) when the model was stopped before.
    Running(LoadedModel& model, std::atomic<bool>& cancel);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    LoadedModel& model_;
    std::atomic<bool>& cancel_;
  };

 private:
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::set<std::atomic<bool>*> running_;
};

}  // namespace longsight::addon

#include "src/task_queue.h"

#include <utility>

namespace longsight::addon {

Napi::Promise TaskQueue::Add(std::unique_ptr<AsyncTask> task) {
  Napi::Promise promise = task->promise();
  if (running_) {
    waiting_.push_back(std::move(task));
  } else {
    Start(std::move(task));
  }
  return promise;
}

void TaskQueue::Start(std::unique_ptr<AsyncTask> task) {
  running_ = true;
  task->OnSettled([self = shared_from_this()] {
    self->running_ = false;
    if (self->waiting_.empty()) return;
    std::unique_ptr<AsyncTask> next = std::move(self->waiting_.front());
    self->waiting_.pop_front();
    self->Start(std::move(next));
  });
  task.release()->Queue();
}

}  // namespace longsight::addon

#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "src/async_task.h"

namespace longsight::addon {

// Runs one model's tasks one after the other, in the order in which they were asked for. The JS
// thread keeps it, so a waiting task blocks no thread of libuv's pool. JS thread.
class TaskQueue : public std::enable_shared_from_this<TaskQueue> {
 public:
  // Takes the task over (it deletes itself once run). Returns its promise.
  Napi::Promise Add(std::unique_ptr<AsyncTask> task);

 private:
  void Start(std::unique_ptr<AsyncTask> task);

  std::deque<std::unique_ptr<AsyncTask>> waiting_;
  bool running_ = false;
};

}  // namespace longsight::addon

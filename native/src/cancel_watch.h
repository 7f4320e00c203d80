#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace longsight::addon {

// While it lives, carries a flag in JavaScript's shared memory over to one that kernels can poll:
// they read a C++ atomic, not somebody's Int32Array, and a single call of theirs may last for
// seconds.
class CancelWatch {
 public:
  // `shared` must stay readable for this object's life. `cancel` turns true once, and never back.
  CancelWatch(int32_t* shared, std::atomic<bool>& cancel);
  ~CancelWatch();
  CancelWatch(const CancelWatch&) = delete;
  CancelWatch& operator=(const CancelWatch&) = delete;

 private:
  // Copies the flag once; true when it is set.
  bool Poll();
  void Loop();

  int32_t* shared_;
  std::atomic<bool>& cancel_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace longsight::addon

#include "src/cancel_watch.h"

#include <chrono>

namespace longsight::addon {
namespace {

// Far below what a person notices, far above what polling costs.
constexpr std::chrono::milliseconds kPollInterval(10);

}  // namespace

CancelWatch::CancelWatch(int32_t* shared, std::atomic<bool>& cancel)
    : shared_(shared), cancel_(cancel) {
  // A flag that was set before the work began must stop it before its first tile.
  if (!Poll()) thread_ = std::thread([this] { Loop(); });
}

CancelWatch::~CancelWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  ended_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool CancelWatch::Poll() {
  // The writer uses Atomics.store.
  if (std::atomic_ref<int32_t>(*shared_).load(std::memory_order_relaxed) == 0) return false;
  cancel_.store(true, std::memory_order_relaxed);
  return true;
}

void CancelWatch::Loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ended_.wait_for(lock, kPollInterval, [this] { return ending_; })) {
    if (Poll()) return;
  }
}

}  // namespace longsight::addon

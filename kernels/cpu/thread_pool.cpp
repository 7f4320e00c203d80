#include "thread_pool.h"

#include <chrono>
#include <new>

namespace longsight::cpu {
namespace {

constexpr uint32_t kOpen = uint32_t{1} << 31;

// Operations of a decode step follow each other within some microseconds; a futex wake costs about
// as much as the operation. Longer gaps belong to other work, so the threads then sleep.
constexpr auto kSpin = std::chrono::microseconds(30);

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when `value` is no longer `old`: spins for kSpin, then sleeps.
void WaitWhile(const std::atomic<uint32_t>& value, uint32_t old) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      Pause();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

void ThreadPool::AlignedDelete::operator()(std::byte* p) const {
  ::operator delete[](p, std::align_val_t{64});
}

ThreadPool::ThreadPool(int threads) : threads_(threads < 1 ? 1 : threads) {
  const size_t bytes =
      (kScratchBytes + kSharedScratchBytesPerThread) * static_cast<size_t>(threads_);
  scratch_.reset(static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{64})));
  workers_.reserve(static_cast<size_t>(threads_ - 1));
  try {
    for (int i = 1; i < threads_; ++i) workers_.emplace_back([this, i] { WorkerLoop(i); });
  } catch (...) {
    Stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { Stop(); }

void ThreadPool::Stop() {
  stopping_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

int ThreadPool::threads() const { return threads_; }

void* ThreadPool::Scratch(int thread) const {
  return scratch_.get() + kScratchBytes * static_cast<size_t>(thread);
}

void* ThreadPool::SharedScratch() const {
  return scratch_.get() + kScratchBytes * static_cast<size_t>(threads_);
}

void ThreadPool::ClaimTasks(int thread) {
  for (;;) {
    const int64_t task = next_task_.fetch_add(1, std::memory_order_relaxed);
    if (task >= tasks_) return;
    invoke_(context_, task, thread);
  }
}

void ThreadPool::Run(int64_t tasks, Invoke invoke, void* context) {
  if (tasks <= 0) return;
  const std::lock_guard<std::mutex> turn(callers_);
  if (tasks == 1 || threads_ == 1) {
    for (int64_t task = 0; task < tasks; ++task) invoke(context, task, 0);
    return;
  }
  invoke_ = invoke;
  context_ = context;
  tasks_ = tasks;
  next_task_.store(0, std::memory_order_relaxed);
  gate_.fetch_or(kOpen);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  ClaimTasks(0);
  // Every task is claimed. Whoever enters from here on finds the gate closed; wait for those who
  // are inside.
  uint32_t inside = gate_.fetch_and(~kOpen) & ~kOpen;
  while (inside != 0) {
    WaitWhile(gate_, inside);
    inside = gate_.load();
  }
}

void ThreadPool::WorkerLoop(int thread) {
  uint32_t seen = 0;
  for (;;) {
    WaitWhile(epoch_, seen);
    seen = epoch_.load();
    if (stopping_.load()) return;
    if ((gate_.fetch_add(1) & kOpen) != 0) ClaimTasks(thread);
    gate_.fetch_sub(1);
    gate_.notify_one();
  }
}

}  // namespace longsight::cpu

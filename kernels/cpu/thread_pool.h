// A fixed set of threads for the CPU backend's operations. No process-wide state: each pool owns
// its threads and scratch.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace longsight::cpu {

class ThreadPool {
 public:
  // Per thread: packed panels of a matrix product, or the tiles of an attention block. Untouched
  // pages cost nothing.
  static constexpr size_t kScratchBytes = size_t{2} << 20;
  // For partial results that outlive a task (split attention), per thread of the pool.
  static constexpr size_t kSharedScratchBytesPerThread = size_t{1} << 20;

  // `threads` counts the caller, which takes part in the work; values below 1 are read as 1.
  // Throws std::system_error or std::bad_alloc when the machine refuses threads or memory.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  // Calls fn(task, thread) once for every task in [0, tasks), thread in [0, threads()), and returns
  // when all are done. Threads claim tasks in ascending order as they get free, so put the long
  // ones first. Callers on several threads take turns. `fn` must not throw, and must not call
  // ParallelFor of the same pool.
  template <class F>
  void ParallelFor(int64_t tasks, F&& fn) {
    using Fn = std::remove_reference_t<F>;
    Run(
        tasks,
        [](void* context, int64_t task, int thread) { (*static_cast<Fn*>(context))(task, thread); },
        const_cast<void*>(static_cast<const void*>(&fn)));
  }

  // kScratchBytes of 64-byte aligned memory that belongs to `thread` during a task; contents do not
  // survive.
  void* Scratch(int thread) const;
  // threads() * kSharedScratchBytesPerThread bytes, 64-byte aligned; belongs to the operation in
  // progress.
  void* SharedScratch() const;

 private:
  using Invoke = void (*)(void* context, int64_t task, int thread);
  struct AlignedDelete {
    void operator()(std::byte* p) const;
  };

  void Run(int64_t tasks, Invoke invoke, void* context);
  void ClaimTasks(int thread);
  void WorkerLoop(int thread);
  void Stop();

  // The job: written by Run while `gate_` is closed and no worker is inside, read by workers
  // inside.
  Invoke invoke_ = nullptr;
  void* context_ = nullptr;
  int64_t tasks_ = 0;
  alignas(64) std::atomic<int64_t> next_task_{0};
  // kOpen | number of workers inside. A worker that enters while the gate is closed leaves again
  // without a look.
  alignas(64) std::atomic<uint32_t> gate_{0};
  // Raised once per job (and to stop); what sleeping workers wait on.
  alignas(64) std::atomic<uint32_t> epoch_{0};
  std::atomic<bool> stopping_{false};

  std::mutex callers_;
  int threads_;
  std::unique_ptr<std::byte[], AlignedDelete> scratch_;
  std::vector<std::thread> workers_;
};

}  // namespace longsight::cpu

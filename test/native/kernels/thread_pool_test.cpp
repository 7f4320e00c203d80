// ThreadPool: every task once, on a valid thread, in calls that follow each other closely or after
// a sleep.
#include "cpu/thread_pool.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "check.h"

namespace longsight::test {
namespace {

void TestEveryTaskOnce(int threads) {
  cpu::ThreadPool pool(threads);
  Check(pool.threads() == (threads < 1 ? 1 : threads), "thread count");
  for (int round = 0; round < 2000; ++round) {
    const int64_t tasks = round % 17;
    const auto counts = std::make_unique<std::atomic<int>[]>(static_cast<size_t>(tasks) + 1);
    std::atomic<bool> thread_in_range{true};
    pool.ParallelFor(tasks, [&](int64_t task, int thread) {
      counts[static_cast<size_t>(task)].fetch_add(1);
      if (thread < 0 || thread >= pool.threads()) thread_in_range = false;
    });
    for (int64_t task = 0; task < tasks; ++task) {
      Check(counts[static_cast<size_t>(task)] == 1,
            "a task ran " + std::to_string(counts[static_cast<size_t>(task)]) + " times");
    }
    Check(thread_in_range, "thread out of range");
    if (round % 500 == 499) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

// Work of one call is seen by the next, whichever thread did it.
void TestOrderOfCalls() {
  cpu::ThreadPool pool(3);
  std::vector<int64_t> values(1000);
  for (int64_t round = 1; round <= 200; ++round) {
    pool.ParallelFor(1000, [&](int64_t task, int) { values[static_cast<size_t>(task)] += round; });
  }
  for (const int64_t value : values) Check(value == 200 * 201 / 2, "a round was lost");
}

// Callers on several threads take turns, and each gets its own results.
void TestTwoCallers() {
  cpu::ThreadPool pool(2);
  std::atomic<int64_t> total{0};
  const auto call = [&] {
    for (int i = 0; i < 300; ++i) pool.ParallelFor(10, [&](int64_t task, int) { total += task; });
  };
  std::thread other(call);
  call();
  other.join();
  Check(total == 2 * 300 * 45, "two callers disturbed each other");
}

void TestScratch() {
  cpu::ThreadPool pool(2);
  Check(pool.Scratch(0) != pool.Scratch(1), "threads share scratch");
  std::memset(pool.Scratch(0), 1, cpu::ThreadPool::kScratchBytes);
  std::memset(pool.Scratch(1), 2, cpu::ThreadPool::kScratchBytes);
  std::memset(pool.SharedScratch(), 3, 2 * cpu::ThreadPool::kSharedScratchBytesPerThread);
  Check(static_cast<unsigned char*>(pool.Scratch(0))[cpu::ThreadPool::kScratchBytes - 1] == 1,
        "scratch overlaps");
  Check(static_cast<unsigned char*>(pool.Scratch(1))[cpu::ThreadPool::kScratchBytes - 1] == 2,
        "scratch overlaps");
  Check(reinterpret_cast<uintptr_t>(pool.Scratch(1)) % 64 == 0, "scratch is not aligned");
}

}  // namespace
}  // namespace longsight::test

int main() {
  for (const int threads : {0, 1, 2, 5}) longsight::test::TestEveryTaskOnce(threads);
  longsight::test::TestOrderOfCalls();
  longsight::test::TestTwoCallers();
  longsight::test::TestScratch();
  return longsight::test::Result("thread_pool_test");
}

// Some threads of the host that meet at a barrier, as a block's do, where ThreadSanitizer can look
// on.
#pragma once

#include <barrier>
#include <cstdint>
#include <thread>
#include <vector>

namespace longsight::test {

struct HostThreads {
  int thread, threads;
  std::barrier<>* barrier;
  void Meet() const { barrier->arrive_and_wait(); }
  void Count(int32_t* number) const { __atomic_fetch_add(number, 1, __ATOMIC_RELAXED); }
};

// run(crew) by every one of them.
template <class Run>
void Together(int count, const Run& run) {
  std::barrier<> barrier(count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&run, crew = HostThreads{i, count, &barrier}] { run(crew); });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace longsight::test

#include "peaks.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>

namespace longsight::bench {
namespace {

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

const PeakProbe* FindProbe(const char* isa) {
#if defined(LONGSIGHT_X86)
  for (const PeakProbe* probe : {&kAvx512Bf16Peak, &kAvx512Peak, &kAvx2Peak}) {
    if (std::strcmp(probe->isa, isa) == 0) return probe;
  }
#endif
  return std::strcmp(kPortablePeak.isa, isa) == 0 ? &kPortablePeak : nullptr;
}

// The best of several rounds: other programs can only lower it.
template <class Round>
double BestRate(double seconds, Round round) {
  double best = 0;
  const double end = Now() + seconds;
  do {
    const double begin = Now();
    const double work = round();
    const double rate = work / (Now() - begin);
    if (rate > best) best = rate;
  } while (Now() < end);
  return best;
}

double ComputePeak(cpu::ThreadPool& pool, double (*probe)(int64_t), double seconds) {
  constexpr int64_t kSteps = 1 << 19;
  return BestRate(seconds, [&] {
    std::atomic<double> total{0};
    // As many tasks as threads, each several milliseconds long, so that every thread gets one.
    pool.ParallelFor(pool.threads(), [&](int64_t, int) { total.fetch_add(probe(kSteps)); });
    return total.load();
  });
}

double ReadBandwidth(cpu::ThreadPool& pool, double seconds) {
  constexpr size_t kBytes = size_t{256} << 20;
  constexpr size_t kPart = size_t{1} << 20;
  constexpr size_t kWords = kPart / sizeof(uint64_t);
  const auto buffer = std::make_unique<uint64_t[]>(kBytes / sizeof(uint64_t));
  std::memset(buffer.get(), 1, kBytes);
  std::atomic<uint64_t> sink{0};
  return BestRate(seconds, [&] {
    pool.ParallelFor(static_cast<int64_t>(kBytes / kPart), [&](int64_t part, int) {
      const uint64_t* p = buffer.get() + static_cast<size_t>(part) * kWords;
      uint64_t sums[16] = {};
      for (size_t i = 0; i < kWords; i += 16) {
        for (size_t l = 0; l < 16; ++l) sums[l] += p[i + l];
      }
      uint64_t total = 0;
      for (const uint64_t sum : sums) total += sum;
      sink.fetch_add(total, std::memory_order_relaxed);
    });
    return static_cast<double>(kBytes);
  });
}

}  // namespace

MachinePeaks MeasurePeaks(cpu::ThreadPool& pool, const char* isa, double seconds) {
  const PeakProbe* probe = FindProbe(isa);
  MachinePeaks peaks{};
  if (probe != nullptr) {
    peaks.fma_gflops = ComputePeak(pool, probe->fma, seconds) * 1e-9;
    if (probe->bf16_dot != nullptr) peaks.bf16_gflops = ComputePeak(pool, probe->bf16_dot, seconds) * 1e-9;
  }
  peaks.read_gbps = ReadBandwidth(pool, seconds) * 1e-9;
  return peaks;
}

}  // namespace longsight::bench

#include "peaks.h"

#include <atomic>
#include <chrono>
#include <cstring>

namespace longsight::bench {
namespace {

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Null for an instruction set without a probe; nothing else calls it.
const PeakProbe* FindProbe(const char* isa) {
#if defined(LONGSIGHT_X86)
  for (const PeakProbe* probe : {&kAvx512Bf16Peak, &kAvx512Peak, &kAvx2Peak}) {
    if (std::strcmp(probe->isa, isa) == 0) return probe;
  }
#endif
  return std::strcmp(kPortablePeak.isa, isa) == 0 ? &kPortablePeak : nullptr;
}

}  // namespace

PeakMeter::PeakMeter(cpu::ThreadPool& pool, const char* isa)
    : pool_(pool), probe_(FindProbe(isa)), memory_((size_t{256} << 20) / sizeof(uint64_t), 1) {}

bool PeakMeter::HasBf16Dot() const { return probe_->bf16_dot != nullptr; }

double PeakMeter::Now(Limit limit) {
  const double rate = limit == Limit::kRead  ? Read()
                      : limit == Limit::kFma ? Compute(probe_->fma)
                                             : Compute(probe_->bf16_dot);
  double& best = best_[static_cast<int>(limit)];
  if (rate > best) best = rate;
  return rate;
}

double PeakMeter::Compute(double (*probe)(int64_t)) {
  // Small tasks, so that a thread that another program has pushed aside leaves its share to the others.
  constexpr int64_t kSteps = 1 << 15;
  constexpr int64_t kTasksPerThread = 16;
  std::atomic<double> operations{0};
  const double begin = Seconds();
  pool_.ParallelFor(kTasksPerThread * pool_.threads(), [&](int64_t, int) { operations.fetch_add(probe(kSteps)); });
  return operations.load() / (Seconds() - begin);
}

double PeakMeter::Read() {
  constexpr size_t kPartWords = (size_t{1} << 20) / sizeof(uint64_t);
  const size_t parts = memory_.size() / kPartWords;
  std::atomic<uint64_t> sink{0};
  const double begin = Seconds();
  pool_.ParallelFor(static_cast<int64_t>(parts), [&](int64_t part, int) {
    const uint64_t* p = memory_.data() + static_cast<size_t>(part) * kPartWords;
    uint64_t sums[16] = {};
    for (size_t i = 0; i < kPartWords; i += 16) {
      for (size_t l = 0; l < 16; ++l) sums[l] += p[i + l];
    }
    uint64_t total = 0;
    for (const uint64_t sum : sums) total += sum;
    sink.fetch_add(total, std::memory_order_relaxed);
  });
  return static_cast<double>(memory_.size() * sizeof(uint64_t)) / (Seconds() - begin);
}

MachinePeaks MeasurePeaks(cpu::ThreadPool& pool, const char* isa, double seconds) {
  PeakMeter meter(pool, isa);
  const auto best = [&](Limit limit) {
    const double end = Seconds() + seconds;
    do {
      meter.Now(limit);
    } while (Seconds() < end);
    return meter.Best(limit) * 1e-9;
  };
  return {best(Limit::kFma), meter.HasBf16Dot() ? best(Limit::kBf16Dot) : 0.0, best(Limit::kRead)};
}

}  // namespace longsight::bench

#include "peaks.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <ctime>

namespace longsight::bench {
namespace {

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

PeakMeter::PeakMeter(cpu::ThreadPool& pool, const char* isa, bool processor_time)
    : pool_(pool),
      probe_(FindProbe(isa)),
      processor_time_(processor_time),
      memory_((size_t{256} << 20) / sizeof(uint64_t), 1) {}

double PeakMeter::Seconds() const {
  // std::clock adds up all threads of the process, and every one of them takes part.
  if (processor_time_) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC / pool_.threads();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool PeakMeter::HasBf16Dot() const { return probe_->bf16_dot != nullptr; }

double PeakMeter::Now(Limit limit) {
  const double rate = limit == Limit::kRead  ? Read()
                      : limit == Limit::kFma ? Compute(probe_->fma)
                                             : Compute(probe_->bf16_dot);
  seen_[static_cast<int>(limit)].push_back(rate);
  return rate;
}

double PeakMeter::Typical(Limit limit) const {
  std::vector<double> rates = seen_[static_cast<int>(limit)];
  if (rates.empty()) return 0;
  std::sort(rates.begin(), rates.end());
  return rates[rates.size() / 2];
}

double PeakMeter::Best(Limit limit) const {
  const std::vector<double>& rates = seen_[static_cast<int>(limit)];
  return rates.empty() ? 0 : *std::max_element(rates.begin(), rates.end());
}

double PeakMeter::Compute(double (*probe)(int64_t)) {
  // Small tasks, so that a thread that another program has pushed aside leaves its share to the
  // others.
  constexpr int64_t kSteps = 1 << 15;
  constexpr int64_t kTasksPerThread = 16;
  std::atomic<double> operations{0};
  const double begin = Seconds();
  pool_.ParallelFor(kTasksPerThread * pool_.threads(),
                    [&](int64_t, int) { operations.fetch_add(probe(kSteps)); });
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
  PeakMeter meter(pool, isa, false);
  const auto best = [&](Limit limit) {
    const double end = meter.Seconds() + seconds;
    do {
      meter.Now(limit);
    } while (meter.Seconds() < end);
    return meter.Best(limit) * 1e-9;
  };
  return {best(Limit::kFma), meter.HasBf16Dot() ? best(Limit::kBf16Dot) : 0.0, best(Limit::kRead)};
}

}  // namespace longsight::bench

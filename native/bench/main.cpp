// longsight-bench-model: whole dense prefill and decode, in tokens per second and as a share of
// what this machine was measured to do.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <vector>

#include "bench/measure.h"
#include "bench/options.h"
#include "bench/peaks.h"
#include "bench/random_model.h"
#include "bench/report.h"
#include "cpu/thread_pool.h"
#include "engine/engine.h"

namespace longsight::bench {
namespace {

void Run(const Options& options) {
  const int64_t longest = *std::max_element(options.lengths.begin(), options.lengths.end());
  RandomModel random(options.shape, longest + options.decode_tokens + 1);
  Engine engine(random.TakeModel(), MakeCpuBackend(options.threads, false), Precision::kBf16);
  const std::string isa = engine.backend().instruction_set();
  const int threads = engine.backend().threads();
  const MachinePeaks peaks = [&] {
    cpu::ThreadPool pool(threads);
    return MeasurePeaks(pool, isa.c_str(), 1.0);
  }();
  Measure(engine, options, 64);  // wakes the threads and touches the weights
  std::vector<Measurement> measurements;
  for (const int64_t length : options.lengths) {
    measurements.push_back(Measure(engine, options, length));
  }
  const std::vector<ReportRow> rows = MakeRows(measurements, peaks);
  (options.json ? PrintJson : PrintTable)(isa, threads, peaks, rows);
}

}  // namespace
}  // namespace longsight::bench

int main(int argc, char** argv) {
  try {
    const longsight::bench::Options options = longsight::bench::ParseOptions(argc, argv);
    if (options.help) {
      std::fputs(longsight::bench::kUsage, stdout);
    } else {
      longsight::bench::Run(options);
    }
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "longsight-bench-model: %s\n%s", error.what(), longsight::bench::kUsage);
    return 64;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "longsight-bench-model: %s\n", error.what());
    return 1;
  }
}

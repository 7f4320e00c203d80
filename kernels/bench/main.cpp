// longsight-bench-kernels: this machine's peaks, then every kernel with its share of the peak that
// bounds it.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "cases.h"
#include "cpu/isa.h"

namespace {

using longsight::bench::Limit;
using longsight::bench::LimitName;
using longsight::bench::LimitUnit;
using longsight::bench::PeakMeter;
using longsight::bench::Row;

constexpr const char* kUsage =
    "usage: longsight-bench-kernels [--json] [--quick] [--threads N] [--processor-time]\n"
    "                               [--only matmul|attention|sparse|elementwise]\n"
    "  --json       one JSON object instead of a table\n"
    "  --quick      fewer and shorter cases\n"
    "  --threads N  1 to 1024; as many as the machine has otherwise\n"
    "  --processor-time  counts the time of this process alone: for a machine that other programs "
    "share\n"
    "  LONGSIGHT_ISA=portable|avx2|avx512|avx512bf16 lowers the instruction set.\n";

struct Options {
  bool json = false, quick = false, help = false, processor_time = false;
  int threads = 0;
  std::string only;
};

// False when the arguments make no sense.
bool Parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--json") {
      options.json = true;
    } else if (argument == "--quick") {
      options.quick = true;
    } else if (argument == "--processor-time") {
      options.processor_time = true;
    } else if (argument == "--help") {
      options.help = true;
    } else if (argument == "--threads" && has_value) {
      options.threads = std::atoi(argv[++i]);
      if (options.threads < 1 || options.threads > 1024) return false;
    } else if (argument == "--only" && has_value) {
      options.only = argv[++i];
      if (options.only != "matmul" && options.only != "attention" && options.only != "sparse" &&
          options.only != "elementwise")
        return false;
    } else {
      return false;
    }
  }
  return true;
}

void PrintTable(const char* isa, int threads, const PeakMeter& meter,
                const std::vector<Row>& rows) {
  std::printf("machine: %s, %d threads; fp32 FMA peak %.1f GFLOP/s", isa, threads,
              meter.Typical(Limit::kFma) * 1e-9);
  if (meter.HasBf16Dot())
    std::printf(", bf16 dot peak %.1f GFLOP/s", meter.Typical(Limit::kBf16Dot) * 1e-9);
  std::printf(", memory read %.1f GB/s (medians)\n", meter.Typical(Limit::kRead) * 1e-9);
  std::printf(
      "figure and share: medians; each run is compared with the peak measured just before and "
      "after it\n\n");
  std::printf("%-18s %-62s %9s %-8s %6s  %s\n", "kernel", "shape", "figure", "unit", "share", "of");
  for (const Row& row : rows) {
    std::printf("%-18s %-62s %9.1f %-8s %5.1f%%  %s\n", row.kernel.c_str(), row.shape.c_str(),
                row.figure, LimitUnit(row.limit), 100 * row.share, LimitName(row.limit));
  }
}

// No string here holds a character that JSON escapes.
void PrintJson(const char* isa, int threads, const PeakMeter& meter, const std::vector<Row>& rows) {
  std::printf(
      "{\"machine\":{\"isa\":\"%s\",\"threads\":%d,\"fmaGflops\":%.2f,\"bf16Gflops\":%.2f,"
      "\"readGbps\":%.2f},",
      isa, threads, meter.Typical(Limit::kFma) * 1e-9, meter.Typical(Limit::kBf16Dot) * 1e-9,
      meter.Typical(Limit::kRead) * 1e-9);
  std::printf("\"rows\":[");
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    std::printf(
        "%s{\"kernel\":\"%s\",\"shape\":\"%s\",\"figure\":%.3f,\"unit\":\"%s\",\"share\":%.4f,"
        "\"limit\":\"%s\"}",
        i == 0 ? "" : ",", row.kernel.c_str(), row.shape.c_str(), row.figure, LimitUnit(row.limit),
        row.share, LimitName(row.limit));
  }
  std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, options)) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  if (options.help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (const std::string& error = longsight::cpu::SelectIsa(); !error.empty()) {
    std::fprintf(stderr, "longsight-bench-kernels: %s\n", error.c_str());
    return 69;
  }
  const char* isa = longsight::cpu::IsaName();
  const longsight::cpu::OpTable* ops =
      longsight::cpu::ChooseIsa(longsight::cpu::AvailableIsas(), isa, nullptr);
  const int threads =
      options.threads > 0 ? options.threads : static_cast<int>(std::thread::hardware_concurrency());
  longsight::cpu::ThreadPool pool(threads);
  PeakMeter meter(pool, isa, options.processor_time);
  for (const Limit limit : {Limit::kFma, Limit::kRead}) meter.Now(limit);
  const longsight::bench::BenchContext context{pool, *ops, meter, options.quick};
  std::vector<Row> rows;
  const auto wanted = [&](const char* name) {
    return options.only.empty() || options.only == name;
  };
  if (wanted("matmul")) longsight::bench::BenchMatmul(context, rows);
  if (wanted("attention")) longsight::bench::BenchAttention(context, rows);
  if (wanted("sparse")) longsight::bench::BenchSparse(context, rows);
  if (wanted("elementwise")) longsight::bench::BenchElementwise(context, rows);
  (options.json ? PrintJson : PrintTable)(isa, pool.threads(), meter, rows);
  return 0;
}

#include "bench/report.h"

#include <cstdio>

namespace longsight::bench {

std::vector<ReportRow> MakeRows(const std::vector<Measurement>& measurements,
                                const MachinePeaks& peaks) {
  // With a bf16 dot product the matrix products run on it, and attention on fp32: the higher peak
  // is the limit.
  const bool bf16 = peaks.bf16_gflops > peaks.fma_gflops;
  const double flops = 1e9 * (bf16 ? peaks.bf16_gflops : peaks.fma_gflops);
  std::vector<ReportRow> rows;
  for (const Measurement& m : measurements) {
    const std::string shape = std::to_string(m.tokens) + " tokens";
    rows.push_back({"prefill", shape, static_cast<double>(m.tokens) / m.prefill_seconds,
                    m.prefill_flops / m.prefill_seconds / flops,
                    bf16 ? "bf16 dot peak" : "fp32 FMA peak"});
    rows.push_back({"decode", shape, 1 / m.decode_seconds,
                    m.decode_bytes / m.decode_seconds / (1e9 * peaks.read_gbps), "memory read"});
  }
  return rows;
}

void PrintTable(const std::string& isa, int threads, const MachinePeaks& peaks,
                const std::vector<ReportRow>& rows) {
  std::printf("machine: %s, %d threads; fp32 FMA peak %.1f GFLOP/s", isa.c_str(), threads,
              peaks.fma_gflops);
  if (peaks.bf16_gflops > 0) std::printf(", bf16 dot peak %.1f GFLOP/s", peaks.bf16_gflops);
  std::printf(", memory read %.1f GB/s\n\n", peaks.read_gbps);
  std::printf("%-8s %-16s %12s %7s  %s\n", "pass", "context", "tokens/s", "share", "of");
  for (const ReportRow& row : rows) {
    std::printf("%-8s %-16s %12.1f %6.1f%%  %s\n", row.pass.c_str(), row.shape.c_str(),
                row.tokens_per_second, 100 * row.share, row.limit.c_str());
  }
}

// No string here holds a character that JSON escapes.
void PrintJson(const std::string& isa, int threads, const MachinePeaks& peaks,
               const std::vector<ReportRow>& rows) {
  std::printf(
      "{\"machine\":{\"isa\":\"%s\",\"threads\":%d,\"fmaGflops\":%.2f,\"bf16Gflops\":%.2f,"
      "\"readGbps\":%.2f},\"rows\":[",
      isa.c_str(), threads, peaks.fma_gflops, peaks.bf16_gflops, peaks.read_gbps);
  const char* separator = "";
  for (const ReportRow& row : rows) {
    std::printf(
        "%s{\"kernel\":\"%s\",\"shape\":\"%s\",\"figure\":%.3f,\"unit\":\"tokens/s\","
        "\"share\":%.4f,\"limit\":\"%s\"}",
        separator, row.pass.c_str(), row.shape.c_str(), row.tokens_per_second, row.share,
        row.limit.c_str());
    separator = ",";
  }
  std::printf("]}\n");
}

}  // namespace longsight::bench

// The figures of longsight-bench-model in the form that longsight-bench-kernels gives its own.
#pragma once

#include <string>
#include <vector>

#include "bench/measure.h"
#include "bench/peaks.h"

namespace longsight::bench {

struct ReportRow {
  std::string pass;   // "prefill" or "decode"
  std::string shape;  // such as "4096 tokens"
  double tokens_per_second;
  double share;  // of the limit, 0 to 1
  std::string limit;
};

std::vector<ReportRow> MakeRows(const std::vector<Measurement>& measurements,
                                const MachinePeaks& peaks);
void PrintTable(const std::string& isa, int threads, const MachinePeaks& peaks,
                const std::vector<ReportRow>& rows);
// {"machine": {...}, "rows": [{"kernel", "shape", "figure", "unit", "share", "limit"}]}
void PrintJson(const std::string& isa, int threads, const MachinePeaks& peaks,
               const std::vector<ReportRow>& rows);

}  // namespace longsight::bench

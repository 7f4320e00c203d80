// longsight-bench-cuda-attention-index: vertical-slash attention with its estimate and its choice
// of lines, in the order in which a chunk runs them, of keys and queries with planted structure.
//   ... TOKENS [ROWS]   the last ROWS rows of TOKENS (default: all)
#include <string>

#include "cuda_layer.cuh"

namespace longsight::bench {
namespace {

void Chunk(int64_t tokens, int64_t rows, double recall_floor) {
  Layer layer(tokens, rows);
  PlantStructure(layer);
  const int64_t bands = index::DivideUp(tokens, index::kBandOffsets);
  DeviceArray<float> columns(kHeads * tokens), band_sums(kHeads * bands);
  DeviceArray<float> lse(kHeads * index::kProbeRows);
  DeviceArray<char> workspace(static_cast<int64_t>(cuda::ProbeWorkspaceBytes(kHeads)));
  const int64_t column_capacity = cuda::ColumnCapacity(tokens);
  const int64_t band_capacity = cuda::BandCapacity(tokens);
  DeviceArray<cuda::HeadLines> heads(kHeads);
  DeviceArray<int32_t> line_columns(kHeads * column_capacity), order(kHeads);
  DeviceArray<cuda::Band> line_bands(kHeads * band_capacity);
  DeviceArray<cuda::HeadReport> reports(kHeads);
  const std::vector<index::HeadPattern> patterns(kHeads, index::kDefaultPattern);

  cuda::SparsePrefillParams p{};
  layer.Describe(p);
  p.lines = {heads.data(),
             line_columns.data(),
             column_capacity,
             line_bands.data(),
             band_capacity,
             nullptr,
             0,
             order.data()};
  cuda::ProbeParams probe{};
  probe.rows = std::min<int64_t>(rows, index::kProbeRows);
  probe.q = layer.q.data() + (rows - probe.rows) * p.q_row_stride;
  probe.q_row_stride = p.q_row_stride;
  probe.q_head_stride = p.q_head_stride;
  probe.heads = kHeads;
  probe.kv_heads = kKvHeads;
  probe.head_size = kHeadSize;
  probe.scale = p.scale;
  probe.kv = p.kv;
  probe.columns = columns.data();
  probe.bands = band_sums.data();
  probe.lse = lse.data();
  probe.workspace = workspace.data();
  const cuda::ChooseLinesParams choice = {
      patterns.data(), kHeads,           tokens - rows, rows, probe.rows,
      columns.data(),  band_sums.data(), recall_floor,  {},   p.lines,
      reports.data(),  nullptr};
  const double probe_ms = MedianMs(5, [&] { Must(cuda::Probe(probe)); });
  const double both_ms = MedianMs(5, [&] {
    Must(cuda::Probe(probe));
    Must(cuda::ChooseLines(choice));
  });
  const auto told = [&] {
    std::vector<cuda::HeadReport> of_heads(kHeads);
    Cuda(cudaMemcpy(of_heads.data(), reports.data(), kHeads * sizeof(cuda::HeadReport),
                    cudaMemcpyDeviceToHost),
         "reports");
    return of_heads;
  };
  double pairs = 0, recall = 0;
  for (const cuda::HeadReport& report : told()) pairs += report.pairs;
  const double ms = MedianMs(RunsFor(pairs), [&] { Must(cuda::SparsePrefillAttention(p)); });
  const cuda::MeasureRecallParams kept = {heads.data(), kHeads,     rows,           probe.rows,
                                          p.lse,        lse.data(), reports.data(), nullptr};
  const double recall_ms = MedianMs(5, [&] { Must(cuda::MeasureRecall(kept)); });
  for (const cuda::HeadReport& report : told()) recall += report.recall / kHeads;
  std::printf(
      "chosen %8lld tokens %7lld rows, floor %.2f: attention %9.3f ms %6.1f TFLOP/s, estimate %.3f "
      "+ index %.3f + recall %.3f ms "
      "(%.1f %% of it), %.1f %% covered, recall %.3f\n",
      static_cast<long long>(tokens), static_cast<long long>(rows), recall_floor, ms,
      Tflops(pairs, ms), probe_ms, both_ms - probe_ms, recall_ms, 100 * (both_ms + recall_ms) / ms,
      100 * pairs / layer.DensePairs(), recall);
  std::fflush(stdout);
}

}  // namespace
}  // namespace longsight::bench

int main(int count, char** arguments) {
  const int64_t tokens = count > 1 ? std::atoll(arguments[1]) : 131072;
  const int64_t rows = count > 2 ? std::atoll(arguments[2]) : tokens;
  longsight::bench::Chunk(tokens, rows, 0);
  if (count > 3) longsight::bench::Chunk(tokens, rows, std::atof(arguments[3]));
  return 0;
}

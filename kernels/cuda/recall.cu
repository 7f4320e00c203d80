// MeasureRecall: what a chunk's probe rows kept, from the log-sum-exp of what they attended to and
// that of all keys. A warp to each head.
#include <cuda_runtime.h>

#include "attention.h"

namespace longsight::cuda {
namespace {

__global__ void RecallKernel(const __grid_constant__ MeasureRecallParams p) {
  const int64_t head = blockIdx.x;
  if (p.kinds[head].kind == static_cast<int32_t>(index::PatternKind::kDense)) return;
  double kept = 0;
  for (int64_t i = threadIdx.x; i < p.probe_rows; i += 32) {
    const float sparse = p.lse[(p.rows - p.probe_rows + i) * p.heads + head];
    const float dense = p.probe_lse[head * index::kProbeRows + i];
    kept += exp(static_cast<double>(sparse) - static_cast<double>(dense));
  }
  for (int other = 16; other > 0; other /= 2) kept += __shfl_xor_sync(0xffffffffu, kept, other);
  if (threadIdx.x != 0) return;
  const double recall = kept / static_cast<double>(p.probe_rows);
  p.reports[head].recall = recall < 1 ? recall : 1;
}

}  // namespace

Launched MeasureRecall(const MeasureRecallParams& p) {
  if (p.heads < 1 || p.probe_rows < 1 || p.probe_rows > index::kProbeRows ||
      p.probe_rows > p.rows) {
    return {cudaErrorInvalidValue, "recall: at least one head, and 1 to 64 probe rows"};
  }
  RecallKernel<<<static_cast<unsigned>(p.heads), 32, 0, p.stream>>>(p);
  const cudaError_t error = cudaGetLastError();
  return {error, error == cudaSuccess ? "" : "recall: the launch"};
}

}  // namespace longsight::cuda

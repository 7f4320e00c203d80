// In place of chunk_attention.cpp where attention.h's kernels are not built: every key, by
// AttentionDecode. Reports say that nothing was left out.
#include <vector>

#include "cuda/chunk_attention.h"
#include "index/area.h"

namespace longsight::cuda {
namespace {

Launched Of(cudaError_t error, const char* what) { return {static_cast<int>(error), what}; }

}  // namespace

Launched AttendChunk(const AttentionDecodeParams& p) { return Of(AttentionDecode(p), "attending"); }

int64_t SparseChunkBytes(const SparseChunkShape& shape) {
  return kAttentionWorkspace + shape.heads * static_cast<int64_t>(sizeof(HeadReport));
}

Launched ChooseSparseChunk(const SparseChunkParams& p) {
  const HeadReport report = {index::CausalArea(p.first_position, p.shape.rows), 0, 1};
  const std::vector<HeadReport> reports(static_cast<size_t>(p.shape.heads), report);
  // From pageable memory: has been read when this returns.
  return Of(cudaMemcpyAsync(const_cast<HeadReport*>(SparseChunkReports(p)), reports.data(),
                            reports.size() * sizeof(HeadReport), cudaMemcpyHostToDevice, p.stream),
            "reporting");
}

Launched AttendSparseChunk(const SparseChunkParams& p) {
  int device = 0, multiprocessors = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
  }
  if (error != cudaSuccess) return Of(error, "being looked at");
  AttentionDecodeParams a{};
  a.q = p.q;
  a.q_row_stride = p.q_row_stride;
  a.rows = p.shape.rows;
  a.heads = p.shape.heads;
  a.kv_heads = p.shape.kv_heads;
  a.head_size = p.shape.head_size;
  a.first_position = p.first_position;
  a.scale = p.scale;
  a.runs = p.runs;
  a.run_count = p.run_count;
  a.out = p.out;
  a.out_row_stride = p.out_row_stride;
  a.lse = p.lse;
  a.workspace = p.workspace;
  a.multiprocessors = multiprocessors;
  a.stream = p.stream;
  return AttendChunk(a);
}

const HeadReport* SparseChunkReports(const SparseChunkParams& p) {
  return reinterpret_cast<const HeadReport*>(static_cast<const std::byte*>(p.workspace) +
                                             kAttentionWorkspace);
}

}  // namespace longsight::cuda

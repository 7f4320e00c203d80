#include <cuda_runtime.h>

#include "attention.h"
#include "probe_ampere.cuh"
#include "probe_hopper.cuh"
#include "tensor_map.h"

namespace longsight::cuda {
namespace {

// lse2 of every row from the parts of its runs; one thread a row.
__global__ void MergeProbe(const float* partial, int64_t runs, int64_t rows_of_all, float* lse2,
                           float* lse) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows_of_all) return;
  float top = -INFINITY;
  for (int64_t i = 0; i < runs; ++i) top = fmaxf(top, partial[i * rows_of_all + row]);
  double sum = 0;
  for (int64_t i = 0; i < runs; ++i) {
    sum += static_cast<double>(exp2f(partial[i * rows_of_all + row] - top));
  }
  const float merged = top + static_cast<float>(log2(sum));
  lse2[row] = merged;
  lse[row] = merged * 0.693147180559945309f;
}

template <int kHeadSize, class Pass>
cudaError_t LaunchPass(const ProbeParams& p, const ProbeArguments& a, bool hopper) {
  const auto kernel = hopper ? ProbeKernel<kHeadSize, Pass> : AmpereProbeKernel<kHeadSize, Pass>;
  const int bytes = hopper ? ProbeShared<kHeadSize>::kBytes : AmpereProbeShape<kHeadSize>::kBytes;
  const int threads = hopper ? kProbeThreads : AmpereProbeShape<kHeadSize>::kThreads;
  const cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (error != cudaSuccess) return error;
  const dim3 blocks(static_cast<unsigned>(a.plan.slices),
                    static_cast<unsigned>(hopper ? p.kv_heads * a.plan.head_parts : p.heads));
  kernel<<<blocks, threads, bytes, p.stream>>>(a);
  return cudaGetLastError();
}

template <int kHeadSize>
Launched ProbeOf(const ProbeParams& p, const ProbeArguments& a, bool hopper) {
  const int64_t rows = p.heads * index::kProbeRows;
  cudaError_t error = LaunchPass<kHeadSize, ProbeSumRows>(p, a, hopper);
  if (error != cudaSuccess) return {error, "probe: the first pass"};
  MergeProbe<<<static_cast<unsigned>(index::DivideUp(rows, 64)), 64, 0, p.stream>>>(
      a.partial, static_cast<int64_t>(a.plan.slices) * kProbeWarps, rows, a.lse2, p.lse);
  error = cudaGetLastError();
  if (error == cudaSuccess) {
    error = cudaMemsetAsync(p.bands, 0, static_cast<size_t>(p.heads * a.band_count) * sizeof(float),
                            p.stream);
  }
  if (error == cudaSuccess) error = LaunchPass<kHeadSize, ProbeSumLines>(p, a, hopper);
  return {error, error == cudaSuccess ? "" : "probe: the second pass"};
}

}  // namespace

size_t ProbeWorkspaceBytes(int64_t heads) {
  return static_cast<size_t>(ProbeFloats(heads)) * sizeof(float);
}

Launched Probe(const ProbeParams& p) {
  if (p.rows < 1 || p.rows > index::kProbeRows || p.rows > p.kv.tokens) {
    return {cudaErrorInvalidValue, "probe: 1 to 64 rows, and no more than tokens"};
  }
  if (p.kv_heads < 1 || p.heads % p.kv_heads != 0 || p.kv.tokens > INT32_MAX - 4096) {
    return {cudaErrorInvalidValue, "probe: query heads must be a multiple of KV heads"};
  }
  ProbeArguments a{};
  a.plan = PlanProbe(p.heads, p.kv_heads, p.rows, p.kv.tokens);
  a.heads = static_cast<int32_t>(p.heads);
  a.group = static_cast<int32_t>(p.heads / p.kv_heads);
  a.rows = static_cast<int32_t>(p.rows);
  a.tokens = static_cast<int32_t>(p.kv.tokens);
  a.scale = p.scale;
  a.lse2 = static_cast<float*>(p.workspace);
  a.partial = a.lse2 + p.heads * index::kProbeRows;
  a.columns = p.columns;
  a.bands = p.bands;
  a.band_count = index::DivideUp(p.kv.tokens, index::kBandOffsets);
  a.q = static_cast<const __nv_bfloat16*>(p.q);
  a.k = static_cast<const __nv_bfloat16*>(p.kv.k);
  a.q_row_stride = p.q_row_stride;
  a.q_head_stride = p.q_head_stride;
  a.k_row_stride = p.kv.row_stride;
  a.k_head_stride = p.kv.head_stride;
  int id = 0, major = 0;
  cudaError_t error = cudaGetDevice(&id);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, id);
  }
  if (error != cudaSuccess) return {error, "probe: the device"};
#if defined(LONGSIGHT_NO_HOPPER)
  const bool hopper = false;
#else
  const bool hopper = major == 9;
#endif
  if (major < 8 || p.heads > 65535) {
    return {cudaErrorInvalidValue, "probe: GPUs from compute capability 8.0 on"};
  }
  if (hopper && (!MakeTensorMap(&a.q_map, p.q, p.rows, p.heads, p.head_size, p.q_row_stride,
                                p.q_head_stride, index::kProbeRows) ||
                 !MakeTensorMap(&a.k_map, p.kv.k, p.kv.tokens, p.kv_heads, p.head_size,
                                p.kv.row_stride, p.kv.head_stride, kProbeGroup))) {
    return {cudaErrorInvalidValue, "probe: the driver refused a tensor map"};
  }
  switch (p.head_size) {
    case 64:
      return ProbeOf<64>(p, a, hopper);
    case 96:
      return ProbeOf<96>(p, a, hopper);
    case 128:
      return ProbeOf<128>(p, a, hopper);
    default:
      return {cudaErrorInvalidValue, "probe: head sizes are 64, 96 and 128"};
  }
}

}  // namespace longsight::cuda

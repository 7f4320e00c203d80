// Between the engine's types and those of kernels/cuda, and from CUDA's errors to the engine's.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cuda/chunk_attention.h"
#include "cuda/cut_copies.h"
#include "cuda/device.h"
#include "cuda/kernels.h"
#include "engine/backend.h"
#include "engine/decoder_spec.h"
#include "engine/dtype.h"
#include "engine/error.h"

namespace longsight {

inline cuda::DType KernelType(DType type) {
  switch (type) {
    case DType::kF32:
      return cuda::DType::kF32;
    case DType::kF16:
      return cuda::DType::kF16;
    case DType::kBF16:
      return cuda::DType::kBF16;
    case DType::kE4M3:
      return cuda::DType::kE4M3;
  }
  throw Error(ErrorCode::kInternal, "a tensor of unknown element type");
}

inline std::vector<cuda::CachedRun> KernelRuns(const DecoderSpec& spec,
                                               std::span<const KvRun> runs) {
  std::vector<cuda::CachedRun> result;
  for (const KvRun& run : runs) {
    result.push_back(
        {{run.keys, run.values, spec.kv_size(), spec.head_size, run.tokens, run.first_position},
         run.key_scales,
         run.value_scales});
  }
  return result;
}

inline std::vector<cuda::HostCopy> KernelCopies(std::span<const Backend::Copy> copies) {
  std::vector<cuda::HostCopy> result;
  for (const Backend::Copy& copy : copies) result.push_back({copy.from, copy.to, copy.bytes});
  return result;
}

// Without workspace, stream and device. `runs`, which must outlive it: of the call.
inline cuda::AttentionDecodeParams AttentionParams(const DecoderSpec& spec,
                                                   const AttentionCall& call,
                                                   const std::vector<cuda::CachedRun>& runs) {
  cuda::AttentionDecodeParams p{};
  p.q = call.query.data;
  p.q_row_stride = call.query.stride;
  p.rows = call.rows;
  p.heads = spec.heads;
  p.kv_heads = spec.kv_heads;
  p.head_size = spec.head_size;
  p.first_position = call.first_position;
  p.window = call.window;
  p.scale = static_cast<float>(spec.attention_scale);
  p.runs = runs.data();
  p.run_count = static_cast<int64_t>(runs.size());
  p.kv_type = KernelType(call.kv[0].type);
  p.out = call.out.data;
  p.out_row_stride = call.out.stride;
  p.lse = call.lse;
  return p;
}

inline cuda::SparseChunkShape SparseShape(const DecoderSpec& spec, int64_t rows, int64_t tokens) {
  return {spec.heads, spec.kv_heads, spec.head_size, rows, tokens};
}

// The same for what AttendSparse is asked.
inline cuda::SparseChunkParams SparseParams(const DecoderSpec& spec, const SparseCall& call,
                                            const std::vector<cuda::CachedRun>& runs) {
  cuda::SparseChunkParams p{};
  p.shape = SparseShape(spec, call.rows, call.first_position + call.rows);
  p.q = call.query.data;
  p.q_row_stride = call.query.stride;
  p.first_position = call.first_position;
  p.scale = static_cast<float>(spec.attention_scale);
  p.runs = runs.data();
  p.run_count = static_cast<int64_t>(runs.size());
  p.kv_type = KernelType(call.kv[0].type);
  p.patterns = call.patterns;
  p.recall_floor = call.recall_floor;
  p.area = call.area;
  p.out = call.out.data;
  p.out_row_stride = call.out.stride;
  p.lse = call.lse;
  return p;
}

inline void Check(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // so that the next launch does not report it again
  const std::string text =
      std::string("the GPU failed while ") + doing + ": " + cuda::Describe(error);
  if (error == cudaErrorMemoryAllocation) throw Error(ErrorCode::kNotEnoughMemory, text);
  throw Error(cuda::IsSticky(error) ? ErrorCode::kEngineDied : ErrorCode::kInternal, text);
}

inline void Check(const cuda::Launched& launched) {
  Check(static_cast<cudaError_t>(launched.error), launched.what);
}

}  // namespace longsight

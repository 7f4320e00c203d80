#include "engine/workspace.h"

#include <algorithm>

#include "engine/checked_math.h"

namespace longsight {

int64_t Workspace::Place(const DecoderSpec& spec, DType activations, std::byte* base) {
  // A cache line of a CPU, and twice what a GPU's widest loads want.
  constexpr int64_t kAlignment = 256;
  int64_t at = 0;
  const auto place = [&](DType type, int64_t rows, int64_t columns) {
    std::byte* const data = base == nullptr ? nullptr : base + at;
    at += RoundUp(rows * columns * DTypeBytes(type), kAlignment);
    return Rows{data, type, columns};
  };
  residual = place(DType::kF32, chunk_, spec.hidden);
  query = place(activations, chunk_, spec.query_size());
  attention = place(activations, chunk_, spec.query_size());
  log_sum_exp = static_cast<float*>(place(DType::kF32, chunk_, spec.heads).data);
  normed = place(activations, block_, spec.hidden);
  key = place(activations, block_, spec.kv_size());
  value = place(activations, block_, spec.kv_size());
  gate = place(activations, block_, spec.intermediate);
  up = place(activations, block_, spec.intermediate);
  return at;
}

int64_t Workspace::PlannedBytes(const DecoderSpec& spec, const Backend& backend, int64_t chunk) {
  return Workspace(backend, chunk).Place(spec, backend.activation_type(), nullptr);
}

Workspace::Workspace(const Backend& backend, int64_t chunk)
    : chunk_(chunk), block_(std::min(chunk, backend.block_rows())) {}

Workspace::Workspace(const DecoderSpec& spec, Backend& backend, int64_t chunk)
    : Workspace(backend, chunk) {
  memory_ = backend.Allocate(PlannedBytes(spec, backend, chunk), "the activations of a chunk");
  Place(spec, backend.activation_type(), memory_.get());
}

}  // namespace longsight

#include "engine/workspace.h"

#include <algorithm>

#include "engine/checked_math.h"

namespace longsight {

int64_t Workspace::Place(const DecoderSpec& spec, std::byte* base) {
  constexpr int64_t kCacheLine = 64;
  const int64_t block = std::min(chunk_, kBlockRows);
  int64_t at = 0;
  const auto place = [&](float*& pointer, int64_t rows, int64_t columns) {
    pointer = base == nullptr ? nullptr : reinterpret_cast<float*>(base + at);
    at += RoundUp(rows * columns * static_cast<int64_t>(sizeof(float)), kCacheLine);
  };
  place(residual, chunk_, spec.hidden);
  place(query, chunk_, spec.query_size());
  place(attention, chunk_, spec.query_size());
  place(log_sum_exp, chunk_, spec.heads);
  place(normed, block, spec.hidden);
  place(key, block, spec.kv_size());
  place(value, block, spec.kv_size());
  place(gate, block, spec.intermediate);
  place(up, block, spec.intermediate);
  return at;
}

int64_t Workspace::PlannedBytes(const DecoderSpec& spec, int64_t chunk) {
  return Workspace(chunk).Place(spec, nullptr);
}

Workspace::Workspace(const DecoderSpec& spec, int64_t chunk)
    : chunk_(chunk), memory_(PlannedBytes(spec, chunk), "the activations of a chunk") {
  Place(spec, memory_.data());
}

}  // namespace longsight

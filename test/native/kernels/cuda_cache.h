// Keys and values as the CUDA backend caches them, for tests: bf16 or e4m3, in runs.
#pragma once

#include <algorithm>

#include "cuda_memory.h"

namespace longsight::test {

struct CacheShape {
  int64_t tokens, kv_heads, head_size;
};

// K or V on the device as they are cached, and what the oracle is to see of them.
struct Cached {
  std::vector<float> values;
  std::unique_ptr<DeviceBytes> elements, scales;
};

inline Cached Cache(const CacheShape& s, bool fp8, const std::vector<float>& floats) {
  Stored stored = Store(floats, cpu::DType::kBF16);
  auto elements = std::make_unique<DeviceBytes>(stored.data(), stored.bytes.size());
  if (!fp8) return {stored.values, std::move(elements), nullptr};
  const int64_t heads = s.tokens * s.kv_heads;
  auto narrow = std::make_unique<DeviceBytes>(floats.size());
  auto scales = std::make_unique<DeviceBytes>(static_cast<size_t>(heads * 2));
  CheckCuda(cuda::Quantize({elements->data(), narrow->data(), scales->data(), s.tokens, s.kv_heads,
                            s.head_size}),
            "quantize");
  // What is stored, exactly: four bits of mantissa by the scale's eight.
  const std::vector<unsigned char> bits = narrow->Bytes();
  const std::vector<float> scale = scales->Floats(cuda::DType::kBF16, heads);
  std::vector<float> values(floats.size());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(reference::E4M3Value(bits[i])) *
                scale[i / static_cast<size_t>(s.head_size)];
  }
  return {std::move(values), std::move(narrow), std::move(scales)};
}

// Each run in memory of its own, with NaN behind its last token.
struct RunMemory {
  std::vector<std::unique_ptr<DeviceBytes>> bytes;
  std::vector<cuda::CachedRun> runs;
};

// Into `runs` runs of random lengths, the first at `first_position`.
inline RunMemory Cut(Random& random, const CacheShape& s, int64_t runs, int64_t first_position,
                     const Cached& k, const Cached& v) {
  RunMemory memory;
  const int64_t row = s.kv_heads * s.head_size;
  for (int64_t begin = 0, run = 0; run < runs; ++run) {
    const int64_t left = runs - 1 - run;
    const int64_t end =
        left == 0
            ? s.tokens
            : std::min(s.tokens - left, random.Integer(begin + 1, begin + 2 * s.tokens / runs));
    const auto copy = [&](const std::unique_ptr<DeviceBytes>& from, int64_t row_bytes) -> void* {
      if (from == nullptr) return nullptr;
      const auto size = static_cast<size_t>((end - begin) * row_bytes);
      memory.bytes.push_back(
          std::make_unique<DeviceBytes>(size + static_cast<size_t>(64 * row_bytes)));
      CheckCuda(cudaMemcpy(memory.bytes.back()->data(),
                           static_cast<std::byte*>(from->data()) + begin * row_bytes, size,
                           cudaMemcpyDeviceToDevice),
                "copy of a run");
      return memory.bytes.back()->data();
    };
    const int64_t row_bytes = row * (k.scales != nullptr ? 1 : 2);
    cuda::CachedRun cached{};
    cached.k = copy(k.elements, row_bytes);
    cached.v = copy(v.elements, row_bytes);
    cached.row_stride = row;
    cached.head_stride = s.head_size;
    cached.tokens = end - begin;
    cached.first_position = first_position + begin;
    cached.k_scales = copy(k.scales, s.kv_heads * 2);
    cached.v_scales = copy(v.scales, s.kv_heads * 2);
    memory.runs.push_back(cached);
    begin = end;
  }
  return memory;
}

}  // namespace longsight::test

// Values in a stored type: the bits that a kernel reads, and the fp32 values that its oracle reads.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "cpu/kernels.h"
#include "reference/reference.h"

namespace longsight::test {

struct Stored {
  std::vector<unsigned char> bytes;
  std::vector<float> values;  // after rounding to the type
  cpu::DType type;

  const void* data() const { return bytes.data(); }
};

inline const char* TypeName(cpu::DType type) {
  return type == cpu::DType::kF32 ? "f32" : type == cpu::DType::kF16 ? "f16" : "bf16";
}

// Rounded by the oracle, not by the kernels.
inline Stored Store(const std::vector<float>& values, cpu::DType type) {
  Stored stored{{}, values, type};
  if (type == cpu::DType::kF32) {
    stored.bytes.resize(values.size() * sizeof(float));
    // An empty vector's data may be null, which memcpy must not be given.
    if (!values.empty()) std::memcpy(stored.bytes.data(), values.data(), stored.bytes.size());
    return stored;
  }
  stored.bytes.resize(values.size() * sizeof(uint16_t));
  for (size_t i = 0; i < values.size(); ++i) {
    const bool half = type == cpu::DType::kF16;
    const uint16_t bits =
        half ? reference::NearestF16(values[i]) : reference::NearestBf16(values[i]);
    std::memcpy(stored.bytes.data() + i * sizeof bits, &bits, sizeof bits);
    stored.values[i] =
        static_cast<float>(half ? reference::F16Value(bits) : reference::Bf16Value(bits));
  }
  return stored;
}

}  // namespace longsight::test

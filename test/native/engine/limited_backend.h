// A backend with as much memory as a test says.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "engine/error.h"
#include "engine/forwarding_backend.h"

namespace longsight::test {

struct Limits {
  // What the backend reports.
  int64_t available = std::numeric_limits<int64_t>::max();
  // What it gives, whatever it reports.
  int64_t allocations = std::numeric_limits<int64_t>::max();
};

class LimitedBackend final : public ForwardingBackend {
 public:
  // `limits` must outlive it. `rounds`: of the CPU's, it says that its activations are bf16, as a
  // GPU's are, so that plans can be made for one; it cannot compute then.
  LimitedBackend(std::unique_ptr<Backend> inner, Limits& limits, bool rounds = false)
      : ForwardingBackend(std::move(inner)), limits_(limits), rounds_(rounds) {}

  DType activation_type() const override {
    return rounds_ ? DType::kBF16 : ForwardingBackend::activation_type();
  }
  int64_t available_bytes() const override { return limits_.available; }
  BackendMemory Allocate(int64_t bytes, const char* purpose) override {
    if (limits_.allocations-- <= 0) {
      throw Error(ErrorCode::kNotEnoughMemory, std::string("gave no memory for ") + purpose);
    }
    return ForwardingBackend::Allocate(bytes, purpose);
  }

 private:
  Limits& limits_;
  bool rounds_;
};

}  // namespace longsight::test

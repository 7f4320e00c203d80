// The GPU, whose every draw is made once more: on the host, from the device's own logits.
#pragma once

#include <memory>
#include <vector>

#include "check.h"
#include "engine/forwarding_backend.h"

namespace longsight::test {

class DrawsTwiceBackend final : public ForwardingBackend {
 public:
  // Counts in `draws`, which must outlive the backend.
  explicit DrawsTwiceBackend(int64_t& draws)
      : ForwardingBackend(MakeCudaBackend(0)), draws_(draws) {}

  uint32_t Sample(const Linear& head, ConstRows x, const Draw& draw) override {
    std::vector<float> logits(static_cast<size_t>(head.weight.shape[0]));
    inner().Logits(head, x, 1, logits.data());
    const uint32_t token = inner().Sample(head, x, draw);
    CHECK(token == SampleToken(logits, draw));
    ++draws_;
    return token;
  }

 private:
  int64_t& draws_;
};

}  // namespace longsight::test

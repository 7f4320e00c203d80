// Copies between the device and ordinary memory through pinned buffers: every byte, of any number
// and size of pieces, while the device is busy with something else.
#include <numeric>

#include "cuda/host_copies.h"
#include "cuda_memory.h"

namespace longsight::test {
namespace {

std::vector<unsigned char> Pattern(size_t bytes, uint32_t seed) {
  std::vector<unsigned char> pattern(bytes);
  uint32_t state = seed;
  for (unsigned char& byte : pattern) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<unsigned char>(state >> 24);
  }
  return pattern;
}

// There and back, into places of another order.
void TestCopies(cuda::HostCopies& copies, const std::vector<int64_t>& sizes) {
  const auto total = static_cast<size_t>(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}));
  const std::string what =
      std::to_string(sizes.size()) + " pieces of " + std::to_string(total) + " bytes";
  const std::vector<unsigned char> source = Pattern(total, 3);
  std::vector<unsigned char> back(total + 1, 0xAB);
  const DeviceBytes device(total + 1);
  auto* const on_device = static_cast<std::byte*>(device.data());
  std::vector<cuda::HostCopy> there, home;
  int64_t at = 0, from_end = static_cast<int64_t>(total);
  for (const int64_t size : sizes) {
    from_end -= size;
    there.push_back({source.data() + at, on_device + from_end, size});
    home.push_back({on_device + from_end, back.data() + at, size});
    at += size;
  }
  CheckCuda(copies.Copy(cuda::HostCopies::Direction::kToDevice, there), what);
  CheckCuda(copies.Copy(cuda::HostCopies::Direction::kToHost, home), what);
  Check(back[total] == 0xAB, what + ": nothing beyond the end");
  back.pop_back();
  Check(back == source, what + ": every byte comes back");
  Check(device.Bytes()[total] == 0xFF, what + ": nothing beyond the end on the device");
}

int Run() {
  if (!HasDevice()) return kNoDevice;
  constexpr int64_t kMiB = 1 << 20;
  {
    cuda::HostCopies copies(0);
    TestCopies(copies, {});
    TestCopies(copies, {1});
    TestCopies(copies, {16 * kMiB - 1, 16 * kMiB, 16 * kMiB + 1, 0, 3});
    TestCopies(copies, std::vector<int64_t>(300, 4099));
    // Beside other work.
    cudaStream_t stream;
    CheckCuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
    const int64_t n = 64 * kMiB;
    const DeviceBytes x(static_cast<size_t>(n * 4)), y(static_cast<size_t>(n * 2));
    for (int i = 0; i < 200; ++i) {
      CheckCuda(
          cuda::Convert({x.data(), cuda::DType::kF32, y.data(), cuda::DType::kBF16, n, stream}),
          "other work");
    }
    TestCopies(copies, {200 * kMiB + 7, 5 * kMiB});
    CheckCuda(cudaStreamSynchronize(stream), "other work");
    cudaStreamDestroy(stream);
  }
  return Result("cuda_copies_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

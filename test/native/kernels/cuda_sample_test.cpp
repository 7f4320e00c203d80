// The GPU's draws against the oracle.
#include "cuda/argmax.h"
#include "cuda_memory.h"
#include "sample_oracle.h"

namespace longsight::test {
namespace {

// A device's logits, and what a draw from them needs.
class DeviceDraws {
 public:
  explicit DeviceDraws(const std::vector<float>& logits)
      : n_(static_cast<int64_t>(logits.size())),
        logits_(logits.data(), logits.size() * sizeof(float)),
        workspace_(WorkspaceBytes(n_)),
        key_(sizeof(uint64_t)) {}

  cuda::SampleParams Params(const DrawCase& draw) const {
    cuda::SampleParams p{};
    p.logits = static_cast<const float*>(logits_.data());
    p.n = n_;
    p.temperature = draw.temperature;
    p.top_k = draw.top_k;
    p.top_p = draw.top_p;
    p.uniform = draw.uniform;
    p.key = static_cast<uint64_t*>(key_.data());
    p.workspace = workspace_.data();
    p.workspace_bytes = static_cast<int64_t>(WorkspaceBytes(n_));
    return p;
  }

  size_t Token(const DrawCase& draw) const {
    CheckCuda(cuda::Sample(Params(draw)), "draw, " + Name(draw));
    uint64_t key = 0;
    CheckCuda(cudaMemcpy(&key, key_.data(), sizeof key, cudaMemcpyDeviceToHost), "copy a token");
    return key == cuda::kNanKey ? kDrewNan : cuda::ArgmaxId(key);
  }

 private:
  static size_t WorkspaceBytes(int64_t n) {
    int64_t bytes = 0;
    CheckCuda(cuda::SampleWorkspace(n, &bytes), "the workspace of draws");
    return static_cast<size_t>(bytes);
  }

  int64_t n_;
  DeviceBytes logits_, workspace_, key_;
};

DrawToken DrawsOnDevice(const std::vector<float>& logits) {
  const auto draws = std::make_shared<DeviceDraws>(logits);
  return [draws](const DrawCase& draw) { return draws->Token(draw); };
}

// Equal in every run, where the goal is any number and weights are alike, so that every bit of the
// sums counts.
void TestRepeats(Random& random) {
  const std::vector<float> logits = random.Floats(151936, 1e-3f);
  const DeviceDraws draws(logits);
  for (int i = 0; i < 50; ++i) {
    const DrawCase draw = {1, 0, 0.95, static_cast<double>(random.Integer(0, 1 << 30)) * 0x1p-30};
    const size_t token = draws.Token(draw);
    for (int again = 0; again < 4; ++again) Check(draws.Token(draw) == token, "another token");
  }
}

// A list as long as may be.
void TestMost(Random& random) {
  const std::vector<float> logits = random.Floats(cuda::kMostSampled, 2.0f);
  SampleOracle oracle(logits);
  oracle.SetTemperature(1);
  const DeviceDraws draws(logits);
  for (const double uniform : {0.0, 0.5, 1 - 0x1p-53}) {
    for (const double top_p : {1.0, 0.8}) {
      const DrawCase draw = {1, 0, top_p, uniform};
      Check(oracle.Allows(draw, draws.Token(draw)), "draws of a million, " + Name(draw));
    }
  }
}

void TestRefusals() {
  const DeviceDraws draws({1.0f, 2.0f});
  const double nan = std::nan("");
  for (const DrawCase& wrong :
       {DrawCase{0, 0, 1, 0}, DrawCase{-1, 0, 1, 0}, DrawCase{nan, 0, 1, 0},
        DrawCase{INFINITY, 0, 1, 0}, DrawCase{1, -1, 1, 0}, DrawCase{1, 0, 0, 0},
        DrawCase{1, 0, 1.5, 0}, DrawCase{1, 0, nan, 0}, DrawCase{1, 0, 1, 1},
        DrawCase{1, 0, 1, -0.1}}) {
    Check(cuda::Sample(draws.Params(wrong)) == cudaErrorInvalidValue, "refuses " + Name(wrong));
  }
  cuda::SampleParams p = draws.Params({1, 0, 1, 0});
  Check(cuda::Sample(p) == cudaSuccess, "draws");
  for (const int64_t n : {int64_t{-1}, int64_t{0}, cuda::kMostSampled + 1}) {
    int64_t bytes = 0;
    Check(cuda::SampleWorkspace(n, &bytes) == cudaErrorInvalidValue, "refuses a list's length");
    p.n = n;
    Check(cuda::Sample(p) == cudaErrorInvalidValue, "refuses a list's length");
  }
  p = draws.Params({1, 0, 1, 0});
  p.workspace_bytes = 256;
  Check(cuda::Sample(p) == cudaErrorInvalidValue, "refuses a small workspace");
}

// Lists of one tile, of a few, and of many.
void TestQuick(Random& random) {
  for (const int64_t n : {7, 2049, 32000}) {
    TestDraws(random.Floats(n, 8.0f), DrawsOnDevice, "draws of " + std::to_string(n));
  }
}

int Run(bool quick) {
  if (!HasDevice()) return kNoDevice;
  Random random;
  if (quick) {
    TestQuick(random);
    return Result("cuda_sample_test");
  }
  TestAllDraws(random, DrawsOnDevice);
  TestRepeats(random);
  TestMost(random);
  TestRefusals();
  return Result("cuda_sample_test");
}

}  // namespace
}  // namespace longsight::test

// --quick: a few lists, for the sanitizer.
int main(int count, char** arguments) {
  return longsight::test::Run(count > 1 && std::string(arguments[1]) == "--quick");
}

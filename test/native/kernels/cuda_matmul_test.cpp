// Matrix products on the GPU against their oracle: the streamed kernel and cuBLASLt.
#include "cuda/blas_lt.h"
#include "streamed_at_once.h"

namespace longsight::test {
namespace {

struct Shape {
  int64_t rows, in, out;
  bool bias, add;
  cuda::DType y_type;
};

std::string Name(const Shape& s) {
  return "matmul " + std::to_string(s.rows) + " x " + std::to_string(s.in) + " -> " +
         std::to_string(s.out) + (s.bias ? ", bias" : "") + (s.add ? ", add" : "") +
         (s.y_type == cuda::DType::kF32 ? ", f32" : ", bf16");
}

void TestShape(cuda::BlasLt& blas, Random& random, const Shape& s, bool streamed) {
  const std::string what = Name(s) + (streamed ? ", streamed" : ", cuBLASLt");
  const cpu::DType stored_type =
      s.y_type == cuda::DType::kF32 ? cpu::DType::kF32 : cpu::DType::kBF16;
  const Stored x = Store(random.Floats(s.rows * s.in, 1.0f), cpu::DType::kBF16);
  const Stored w = Store(random.Floats(s.out * s.in, 1.0f), cpu::DType::kBF16);
  const Stored bias = Store(random.Floats(s.out, 1.0f), stored_type);
  const Stored before = Store(random.Floats(s.rows * s.out, 1.0f), stored_type);

  std::vector<double> expected(before.values.begin(), before.values.end());
  reference::Multiply({s.rows, s.in, s.out, x.values.data(), w.values.data(),
                       s.bias ? bias.values.data() : nullptr, s.add},
                      expected.data());

  const DeviceBytes x_device = OnDevice(x), w_device = OnDevice(w), bias_device = OnDevice(bias);
  const DeviceBytes y = s.add ? OnDevice(before) : EmptyOnDevice(s.y_type, s.rows * s.out);
  cuda::MatmulParams p{};
  p.x = x_device.data();
  p.x_stride = s.in;
  p.w = w_device.data();
  p.bias = s.bias ? bias_device.data() : nullptr;
  p.y = y.data();
  p.y_type = s.y_type;
  p.y_stride = s.out;
  p.rows = s.rows;
  p.in = s.in;
  p.out = s.out;
  p.add = s.add;
  if (streamed) {
    CheckCuda(cuda::MatmulStreamed(p), what);
  } else {
    const std::string failure = blas.Multiply(p).failure;
    Check(failure.empty(), what + ": " + failure);
  }
  const double in = static_cast<double>(s.in);
  const double relative = s.y_type == cuda::DType::kF32 ? 1e-6 : 1.0 / 256;
  CheckClose(y.Floats(s.y_type, s.rows * s.out), expected, in * 0x1p-22 + 1e-5, relative, what);
}

void TestAtOnce(Random& random, int64_t rows, int64_t in, cuda::DType type) {
  const DeviceBytes x = OnDevice(Store(random.Floats(rows * in, 1.0f), cpu::DType::kBF16));
  const std::vector<int64_t> outs = {129, 64, 7};
  std::vector<std::unique_ptr<DeviceBytes>> weights, results;
  std::vector<cuda::MatmulParams> products;
  std::vector<const DeviceBytes*> written;
  for (const int64_t out : outs) {
    const Stored w = Store(random.Floats(out * in, 1.0f), cpu::DType::kBF16);
    weights.push_back(std::make_unique<DeviceBytes>(w.data(), w.bytes.size()));
    results.push_back(std::make_unique<DeviceBytes>(static_cast<size_t>(rows * out * 4)));
    written.push_back(results.back().get());
    cuda::MatmulParams p{};
    p.x = x.data();
    p.x_stride = in;
    p.w = weights.back()->data();
    p.y = results.back()->data();
    p.y_type = type;
    p.y_stride = out;
    p.rows = rows;
    p.in = in;
    p.out = out;
    products.push_back(p);
  }
  CheckAtOnce(products, written, "matmul of " + std::to_string(rows) + " rows, at once");
}

int Run() {
  if (!HasDevice()) return kNoDevice;
  std::string refusal;
  const auto blas = cuda::BlasLt::Open(cuda::BlasSearchOfEnvironment(), &refusal);
  Check(blas != nullptr, refusal);
  if (blas == nullptr) return Result("cuda_matmul_test");
  std::printf("cuBLASLt: %s\n", blas->path().c_str());
  const DeviceBytes workspace(static_cast<size_t>(cuda::BlasLt::kWorkspaceBytes));
  blas->SetWorkspace(workspace.data());
  Random random;
  using cuda::DType;
  for (const DType type : {DType::kF32, DType::kBF16}) {
    // What is added to is the residual stream, in fp32.
    const bool add = type == DType::kF32;
    for (const int64_t rows : {1, 2, 3, 4}) {
      TestShape(*blas, random, {rows, 96, 160, false, false, type}, true);
      TestShape(*blas, random, {rows, 100, 33, true, false, type}, true);  // no whole vectors
      TestShape(*blas, random, {rows, 4096, 129, true, add, type}, true);
      TestShape(*blas, random, {rows, 512, 9001, false, add, type}, true);
      TestAtOnce(random, rows, 576, type);
      TestAtOnce(random, rows, 100, type);  // no whole vectors
    }
    for (const int64_t rows : {5, 64, 200}) {
      TestShape(*blas, random, {rows, 96, 160, false, false, type}, false);
      TestShape(*blas, random, {rows, 160, 96, true, false, type}, false);
      TestShape(*blas, random, {rows, 1024, 512, false, add, type}, false);
    }
    TestShape(*blas, random, {128, 512, 320, true, true, DType::kF32}, false);
    // A second time, by the plan that was kept, with another bias.
    TestShape(*blas, random, {64, 160, 96, true, false, type}, false);
  }
  cuda::BlasSearch wrong;
  wrong.named = "/nowhere/libcublasLt.so.13";
  Check(cuda::BlasLt::Open(wrong, &refusal) == nullptr &&
            refusal.find("/nowhere/libcublasLt.so.13") != std::string::npos,
        "a library that is not there is refused by its name: " + refusal);
  return Result("cuda_matmul_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

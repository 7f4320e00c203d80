// Linear layers in e4m3 on the GPU: streamed products, cuBLASLt's products with a scale for each
// row, and what stands in for them. They are compared with the oracle on the very e4m3 values that
// the device holds.
#include <algorithm>
#include <cmath>

#include "cuda/blas_lt.h"
#include "cuda/fp8_linear.h"
#include "fp8_matrix.h"
#include "streamed_at_once.h"

namespace longsight::test {
namespace {

using cuda::DType;

struct Shape {
  int64_t rows, in, out;
  bool bias, add;
  DType y_type;
};

std::string Name(const Shape& s) {
  return "fp8 " + std::to_string(s.rows) + " x " + std::to_string(s.in) + " -> " +
         std::to_string(s.out) + (s.bias ? ", bias" : "") + (s.add ? ", add" : "") +
         (s.y_type == DType::kF32 ? ", f32" : ", bf16");
}

// Operands of a product, on the host and on the device.
struct Operands {
  Shape s;
  Stored x, bias, before;
  Fp8Matrix w;
  std::vector<float> w_exact;
  DeviceBytes x_device, bias_device, y;

  Operands(Random& random, const Shape& shape)
      : s(shape),
        x(Store(Uneven(random, s.rows, s.in, -6, 6), cpu::DType::kBF16)),
        bias(Store(random.Floats(s.out, 1.0f), CpuType(s.y_type))),
        before(Store(random.Floats(s.rows * s.out, 1.0f), CpuType(s.y_type))),
        w(s.out, s.in),
        w_exact(Uneven(random, s.out, s.in, -9, 9)),
        x_device(x.data(), x.bytes.size()),
        bias_device(bias.data(), bias.bytes.size()),
        y(before.data(), before.bytes.size()) {
    const DeviceBytes exact = OnDevice(w_exact);
    CheckCuda(cuda::QuantizeRows(
                  {exact.data(), DType::kF32, s.in, w.bits.data(), w.scales_data(), s.out, s.in}),
              "quantize");
    w.Read();
  }

  cuda::MatmulParams Params() const {
    cuda::MatmulParams p{};
    p.x = x_device.data();
    p.x_stride = s.in;
    p.w = w.bits.data();
    p.w_scales = w.scales_data();
    p.bias = s.bias ? bias_device.data() : nullptr;
    p.y = y.data();
    p.y_type = s.y_type;
    p.y_stride = s.out;
    p.rows = s.rows;
    p.in = s.in;
    p.out = s.out;
    p.add = s.add;
    return p;
  }

  std::vector<double> Expected(const std::vector<float>& of_x,
                               const std::vector<float>& of_w) const {
    std::vector<double> expected(before.values.begin(), before.values.end());
    reference::Multiply({s.rows, s.in, s.out, of_x.data(), of_w.data(),
                         s.bias ? bias.values.data() : nullptr, s.add},
                        expected.data());
    return expected;
  }
  // Sums of |x| |w|: what the errors of sums are a share of.
  std::vector<double> Sizes(const std::vector<float>& of_x, const std::vector<float>& of_w) const {
    const auto magnitudes = [](std::vector<float> v) {
      for (float& value : v) value = std::fabs(value);
      return v;
    };
    const std::vector<float> a = magnitudes(of_x), b = magnitudes(of_w);
    std::vector<double> sizes(static_cast<size_t>(s.rows * s.out));
    reference::Multiply({s.rows, s.in, s.out, a.data(), b.data(), nullptr, false}, sizes.data());
    return sizes;
  }
  std::vector<float> Result() const { return y.Floats(s.y_type, s.rows * s.out); }
  // What rounding the result may come to, and what it was before it was added to.
  double ResultRounding(double expected) const {
    const double added = (s.bias ? 1 : 0) + (s.add ? 1 : 0);
    return (s.y_type == DType::kF32 ? 0x1p-23 : 0x1p-8) * (std::fabs(expected) + added);
  }
};

// Every element within `share` of the sum of its |x| |w|, and the rounding of the result.
void CheckSums(const Operands& o, const std::vector<float>& of_x, const std::vector<float>& of_w,
               double share, const std::string& what) {
  const std::vector<double> expected = o.Expected(of_x, of_w), sizes = o.Sizes(of_x, of_w);
  const std::vector<float> actual = o.Result();
  for (size_t i = 0; i < expected.size(); ++i) {
    const double allowed = share * sizes[i] + o.ResultRounding(expected[i]);
    const double error = std::fabs(static_cast<double>(actual[i]) - expected[i]);
    if (!(error <= allowed)) {
      char text[160];
      std::snprintf(text, sizeof text, ": element %zu is %.9g, expected %.9g within %.3g", i,
                    static_cast<double>(actual[i]), expected[i], allowed);
      return Fail(what + text);
    }
  }
}

// A lane adds up in / 32 products in fp32, and five sums of lanes follow: the worst case of it.
void TestStreamed(Random& random, const Shape& s) {
  const Operands o(random, s);
  CheckCuda(cuda::MatmulStreamed(o.Params()), Name(s));
  CheckSums(o, o.x.values, o.w.values, (static_cast<double>(s.in) / 32 + 24) * 0x1p-24,
            Name(s) + ", streamed");
}

void TestAtOnce(Random& random, int64_t rows, int64_t in, DType type) {
  const Operands a(random, {rows, in, 160, true, false, type}),
      b(random, {rows, in, 33, false, false, type}), c(random, {rows, in, 16, true, false, type});
  std::vector<cuda::MatmulParams> products = {a.Params(), b.Params(), c.Params()};
  for (cuda::MatmulParams& p : products) p.x = a.x_device.data();
  CheckAtOnce(products, {&a.y, &b.y, &c.y}, Name(a.s) + ", at once");
}

struct Errors {
  double rms, most;
};
// Of a product in units of |x| |w| / sqrt(in), which is what products of random signs come to: the
// same for rows of every size.
Errors ErrorsOf(const Operands& o, const std::vector<double>& expected,
                const std::vector<float>& of_x, const std::vector<float>& of_w) {
  const auto norms = [&](const std::vector<float>& v, int64_t rows) {
    std::vector<double> result(static_cast<size_t>(rows));
    for (size_t i = 0; i < v.size(); ++i) {
      const double value = static_cast<double>(v[i]);
      result[i / static_cast<size_t>(o.s.in)] += value * value;
    }
    for (double& norm : result) norm = std::sqrt(norm);
    return result;
  };
  const std::vector<double> x = norms(of_x, o.s.rows), w = norms(of_w, o.s.out);
  const std::vector<float> actual = o.Result();
  Errors errors = {0, 0};
  for (size_t i = 0; i < expected.size(); ++i) {
    const double unit = x[i / static_cast<size_t>(o.s.out)] * w[i % static_cast<size_t>(o.s.out)] /
                        std::sqrt(static_cast<double>(o.s.in));
    double error = std::fabs(static_cast<double>(actual[i]) - expected[i]);
    // What rounds the result is no error of the product.
    error = std::max(0.0, error - o.ResultRounding(expected[i])) / unit;
    errors.rms += error * error;
    // Written so that NaN stays.
    errors.most = error <= errors.most ? errors.most : error;
  }
  errors.rms = std::sqrt(errors.rms / static_cast<double>(expected.size()));
  return errors;
}

// The tensor cores keep some 14 bits of products and sums that belong to one instruction of 32
// elements, cut to the largest of them. Up to `run` elements are added so before fp32 takes over:
// sqrt(run) of it by chance, and run / 32 in one direction, each 2^-13; twice that is allowed.
double SumBound(int64_t run) {
  const double n = static_cast<double>(run);
  return 2 * (std::sqrt(n) + n / 32) * 0x1p-13;
}
// What rounding of both operands to e4m3 comes to (values spread evenly up to the largest of a row:
// 2.5 % each), in the same units.
constexpr double kRounding = 0.036;

// Against the oracle on the values that the device holds, and against the product as it was before
// any rounding.
void CheckRounded(const Operands& o, const Fp8Matrix& x, int64_t run, const std::string& what) {
  const Errors stored = ErrorsOf(o, o.Expected(x.values, o.w.values), x.values, o.w.values);
  const Errors whole = ErrorsOf(o, o.Expected(o.x.values, o.w_exact), o.x.values, o.w_exact);
  const double bound = SumBound(run);
  std::printf("%s: sums off by %.5f, most %.5f (%.5f allowed), with rounding %.4f\n", what.c_str(),
              stored.rms, stored.most, bound, whole.rms);
  Check(stored.rms <= bound && stored.most <= 6 * bound,
        what + ": not the product of what is held");
  Check(whole.rms >= kRounding / 2 && whole.rms <= kRounding * 1.5 + bound,
        what + ": not what rounding to e4m3 explains");
}

class Products {
 public:
  Products(cuda::BlasLt& blas, bool has_library)
      : blas_(blas),
        has_library_(has_library),
        scratch_(static_cast<size_t>(cuda::Fp8Linear::ScratchBytes(kRows, kIn))),
        linear_(blas, kRows, kIn, scratch_.data()) {}

  // As the engine does it.
  void TestLinear(Random& random, const Shape& s) {
    const Operands o(random, s);
    const std::string failure = linear_.Multiply(o.Params());
    linear_.Forget(o.x_device.data(), 1);
    Check(failure.empty(), Name(s) + ": " + failure);
    if (linear_.last_was_widened()) {
      // An fp32 bias is nothing that the library has.
      Check(!has_library_ || (s.bias && s.y_type == DType::kF32),
            Name(s) + ": cuBLASLt has no such product");
      std::printf("%s: widened\n", Name(s).c_str());
      return CheckSums(o, o.x.values, o.w.values, kWidened, Name(s) + ", widened");
    }
    CheckRounded(o, Fp8Matrix(o.x, DType::kBF16, s.rows, s.in),
                 cuda::Fp8Linear::kFastSums ? s.in : kPromoted, Name(s));
  }

  // Both ways of adding up, whichever the engine uses.
  void TestSums(Random& random, const Shape& s) {
    if (!has_library_) return;
    for (const bool fast : {false, true}) {
      const Operands o(random, s);
      const Fp8Matrix x(o.x, DType::kBF16, s.rows, s.in);
      cuda::MatmulParams p = o.Params();
      p.x = x.bits.data();
      p.x_scales = x.scales_data();
      p.fast_sums = fast;
      const std::string what = Name(s) + (fast ? ", fast sums" : ", sums in fp32");
      const cuda::BlasLt::Outcome outcome = blas_.Multiply(p);
      Check(outcome.failure.empty(), what + ": " + outcome.failure);
      CheckRounded(o, x, fast ? s.in : kPromoted, what);
    }
  }

  // What cuBLASLt does not take: parts of a few rows, the last one smaller.
  void TestWidened(Random& random, DType type) {
    const Shape s = {7, 104, 40, true, type == DType::kF32, type};
    const DeviceBytes scratch(static_cast<size_t>(cuda::Fp8Linear::ScratchBytes(32, s.in)));
    cuda::Fp8Linear linear(blas_, 32, s.in, scratch.data());
    const Operands o(random, s);
    const std::string failure = linear.Multiply(o.Params());
    Check(failure.empty() && linear.last_was_widened(), Name(s) + ", widened: " + failure);
    CheckSums(o, o.x.values, o.w.values, kWidened, Name(s) + ", widened");
    cuda::MatmulParams large = o.Params();
    large.rows = 33;
    Check(!linear.Multiply(large).empty(), "more rows than were said are refused");
  }

  // What is held in e4m3 serves the next product of the same rows, until they are written.
  void TestReuse(Random& random) {
    const Shape s = {40, 512, 256, false, false, DType::kBF16};
    const Operands o(random, s);
    const std::vector<float> values = Uneven(random, s.rows, s.in, -6, 6);
    const Stored other = Store(values, cpu::DType::kBF16);
    const auto product = [&] {
      const std::string failure = linear_.Multiply(o.Params());
      Check(failure.empty(), failure);
      return o.Result();
    };
    const std::vector<float> first = product();
    CheckCuda(cudaMemset(o.x_device.data(), 0, other.bytes.size()), "clear");
    if (!linear_.last_was_widened()) Check(product() == first, "rows held in e4m3 are used again");
    CheckCuda(
        cudaMemcpy(o.x_device.data(), other.data(), other.bytes.size(), cudaMemcpyHostToDevice),
        "write");
    const auto end = reinterpret_cast<uintptr_t>(o.x_device.data()) + other.bytes.size();
    linear_.Forget(reinterpret_cast<void*>(end), 1000);  // beside them
    if (!linear_.last_was_widened()) Check(product() == first, "a write beside them");
    linear_.Forget(reinterpret_cast<void*>(end - 2), 2);
    const std::vector<double> expected = o.Expected(other.values, o.w_exact);
    product();
    Check(ErrorsOf(o, expected, other.values, o.w_exact).rms < 2 * kRounding,
          "rows that were written are rounded anew");
    linear_.Forget(o.x_device.data(), 1);
  }

 private:
  static constexpr int64_t kRows = 1000, kIn = 4096;
  // The library's sums without fast ones go to fp32 every so many elements, or fewer.
  static constexpr int64_t kPromoted = 128;
  // Weights widened to bf16, and fp32 sums.
  static constexpr double kWidened = 0x1p-9 + 0x1p-13;

  cuda::BlasLt& blas_;
  bool has_library_;
  DeviceBytes scratch_;
  cuda::Fp8Linear linear_;
};

int Run() {
  if (!HasDevice()) return kNoDevice;
  std::string refusal;
  const auto blas = cuda::BlasLt::Open(cuda::BlasSearchOfEnvironment(), &refusal);
  Check(blas != nullptr, refusal);
  if (blas == nullptr) return Result("cuda_fp8_test");
  const DeviceBytes workspace(static_cast<size_t>(cuda::BlasLt::kWorkspaceBytes));
  blas->SetWorkspace(workspace.data());
  cuda::DeviceInfo info{};
  CheckCuda(cuda::GetDeviceInfo(0, &info), "the device");
  std::printf("%s, %s\n", info.name.c_str(), blas->path().c_str());
  Random random;
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const bool add = type == DType::kF32;
    for (const int64_t rows : {1, 2, 3, 4}) {
      TestStreamed(random, {rows, 96, 160, false, false, type});
      TestStreamed(random, {rows, 100, 33, true, false, type});  // no whole vectors
      TestStreamed(random, {rows, 4096, 129, true, add, type});
      TestStreamed(random, {rows, 3584, 257, false, add, type});
      TestStreamed(random, {rows, 512, 9001, false, add, type});
      TestAtOnce(random, rows, 576, type);
      TestAtOnce(random, rows, 100, type);  // no whole vectors
    }
    TestStreamed(random, {1, 18944, 100, false, add, type});
    TestStreamed(random, {4, 18944, 100, false, add, type});
  }
  Products products(*blas, info.major == 9);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    const bool add = type == DType::kF32;
    for (const int64_t rows : {5, 64, 201}) {
      products.TestLinear(random, {rows, 96, 160, false, false, type});
      products.TestLinear(random, {rows, 160, 96, true, false, type});
      products.TestLinear(random, {rows, 1024, 512, false, add, type});
    }
    products.TestLinear(random, {1000, 4096, 256, false, add, type});
    products.TestSums(random, {256, 4096, 256, false, add, type});
    products.TestSums(random, {64, 512, 512, false, false, type});
    products.TestWidened(random, type);
  }
  products.TestReuse(random);
  return Result("cuda_fp8_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

// longsight-bench-cuda: every operation of kernels/cuda on the shapes of published models, as a
// share of what the device was just measured to copy or to multiply.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cuda/blas_lt.h"
#include "cuda/device.h"
#include "cuda/fp8_linear.h"
#include "cuda/kernels.h"
#include "cuda_operands.h"

namespace longsight::bench {
namespace {

class Bench {
 public:
  Bench(const cuda::DeviceInfo& info, cuda::BlasLt& blas) : info_(info), blas_(blas) {}

  void Run() {
    std::printf("%-44s %10s %12s %8s\n", "operation", "ms", "", "share");
    Peaks();
    for (const int64_t rows : {int64_t{8192}, int64_t{1}}) {
      Product("llama-3-8b q", rows, 4096, 4096, false);
      Product("llama-3-8b k", rows, 4096, 1024, false);
      Product("llama-3-8b gate", rows, 4096, 14336, false);
      Product("llama-3-8b down", rows, 14336, 4096, true);
      Product("qwen2.5-7b down", rows, 18944, 3584, true);
    }
    Product("llama-3-8b head", 1, 4096, 128256, false);
    Fp8();
    Small();
    for (const int64_t tokens : {int64_t{8192}, int64_t{131072}, int64_t{1000000}}) {
      Decode("llama-3-8b", 1, tokens, 32, 8);
      Decode("qwen2.5-7b", 1, tokens, 28, 4);
    }
    Decode("llama-3-8b", 1, 1000000, 32, 8, true);
    Decode("llama-3-8b", 64, 1000000, 32, 8);
    Decode("llama-3-8b", 64, 1000000, 32, 8, true);
    Decode("llama-3-8b", 8192, 8192, 32, 8);
  }

 private:
  void Report(const std::string& name, double ms, double bytes, double flops,
              double peak_flops = 0) const {
    if (flops > 0) {
      const double rate = flops / ms / 1e9;
      std::printf("%-44s %10.3f %7.0f TFLOP/s %6.1f%%\n", name.c_str(), ms, rate,
                  100 * rate / (peak_flops > 0 ? peak_flops : peak_flops_));
    } else {
      const double rate = bytes / ms / 1e6;
      std::printf("%-44s %10.3f %7.0f GB/s %9.1f%%\n", name.c_str(), ms, rate,
                  100 * rate / peak_bytes_);
    }
  }

  double ProductMs(int64_t rows, int64_t in, int64_t out, bool add) {
    const Buffer x(rows * in * 2), w(out * in * 2), y(rows * out * (add ? 4 : 2)),
        workspace(cuda::BlasLt::kWorkspaceBytes);
    blas_.SetWorkspace(workspace.data());
    cuda::MatmulParams p{};
    p.x = x.data();
    p.x_stride = p.in = in;
    p.w = w.data();
    p.y = y.data();
    p.y_type = add ? cuda::DType::kF32 : cuda::DType::kBF16;
    p.y_stride = p.out = out;
    p.rows = rows;
    p.add = add;
    return Time([&] {
      if (rows <= cuda::kStreamedRows) return Require(cuda::MatmulStreamed(p), "matmul");
      const std::string failure = blas_.Multiply(p).failure;
      if (failure.empty()) return;
      std::fprintf(stderr, "longsight-bench-cuda: %s\n", failure.c_str());
      std::exit(1);
    });
  }

  void Peaks() {
    constexpr int64_t kBytes = int64_t{4} << 30;
    const Buffer from(kBytes), to(kBytes);
    const double copy = Time([&] {
      Require(cudaMemcpyAsync(to.data(), from.data(), kBytes, cudaMemcpyDeviceToDevice), "copy");
    });
    peak_bytes_ = 2.0 * kBytes / copy / 1e6;
    Report("copy, 4 GiB", copy, 2.0 * kBytes, 0);
    const double square = ProductMs(8192, 8192, 8192, false);
    const double flops = 2.0 * 8192 * 8192 * 8192;
    peak_flops_ = flops / square / 1e9;
    Report("matmul, 8192 x 8192 x 8192", square, 0, flops);
  }

  void Product(const char* name, int64_t rows, int64_t in, int64_t out, bool add) {
    const double ms = ProductMs(rows, in, out, add);
    const double flops = 2.0 * static_cast<double>(rows) * static_cast<double>(in * out);
    const bool few = rows <= cuda::kStreamedRows;
    Report("matmul, " + std::string(name) + ", " + std::to_string(rows) + " rows", ms,
           2.0 * static_cast<double>(in * out), few ? 0 : flops);
  }

  // Both operands in e4m3; 0 where the library has no such product.
  double Fp8ProductMs(int64_t rows, int64_t in, int64_t out, bool add, bool fast_sums) {
    const Fp8Buffer x(rows, in), w(out, in);
    const Buffer y(rows * out * (add ? 4 : 2)), workspace(cuda::BlasLt::kWorkspaceBytes);
    blas_.SetWorkspace(workspace.data());
    cuda::MatmulParams p{};
    p.x = x.bits();
    p.x_scales = x.scales();
    p.x_stride = p.in = in;
    p.w = w.bits();
    p.w_scales = w.scales();
    p.y = y.data();
    p.y_type = add ? cuda::DType::kF32 : cuda::DType::kBF16;
    p.y_stride = p.out = out;
    p.rows = rows;
    p.add = add;
    p.fast_sums = fast_sums;
    const cuda::BlasLt::Outcome first = blas_.Multiply(p);
    if (first.unsupported) {
      std::printf("%s\n", first.failure.c_str());
      return 0;
    }
    return Time([&] {
      const std::string failure = blas_.Multiply(p).failure;
      if (failure.empty()) return;
      std::fprintf(stderr, "longsight-bench-cuda: %s\n", failure.c_str());
      std::exit(1);
    });
  }

  void Fp8() {
    const double square = 2.0 * 8192 * 8192 * 8192;
    double peak = 0;
    for (const bool fast : {false, true}) {
      const double ms = Fp8ProductMs(8192, 8192, 8192, false, fast);
      if (ms == 0) return;
      peak = std::max(peak, square / ms / 1e9);
      // A share of the peak in bf16.
      Report(std::string("matmul, fp8, 8192^3, sums ") + (fast ? "fast" : "in fp32"), ms, 0,
             square);
    }
    struct Layer {
      const char* name;
      int64_t in, out;
      bool add;
    };
    for (const Layer& layer :
         {Layer{"llama-3-8b q", 4096, 4096, false}, Layer{"llama-3-8b k", 4096, 1024, false},
          Layer{"llama-3-8b gate", 4096, 14336, false}, Layer{"llama-3-8b down", 14336, 4096, true},
          Layer{"qwen2.5-7b down", 18944, 3584, true}}) {
      const std::string name = "matmul, fp8, " + std::string(layer.name);
      const double weights = static_cast<double>(layer.in) * static_cast<double>(layer.out);
      const double ms =
          Fp8ProductMs(8192, layer.in, layer.out, layer.add, cuda::Fp8Linear::kFastSums);
      if (ms > 0) Report(name + ", 8192 rows", ms, 0, 2.0 * 8192 * weights, peak);
      for (const int64_t rows : {int64_t{1}, int64_t{4}}) {
        Report(name + ", " + std::to_string(rows) + " rows",
               StreamedFp8Ms(rows, layer.in, layer.out), weights, 0);
      }
    }
    RoundedBeside();
  }

  double StreamedFp8Ms(int64_t rows, int64_t in, int64_t out) {
    const Fp8Buffer w(out, in);
    const Buffer x(rows * in * 2), y(rows * out * 2);
    cuda::MatmulParams p{};
    p.x = x.data();
    p.x_stride = p.in = in;
    p.w = w.bits();
    p.w_scales = w.scales();
    p.y = y.data();
    p.y_type = cuda::DType::kBF16;
    p.y_stride = p.out = out;
    p.rows = rows;
    return Time([&] { Require(cuda::MatmulStreamed(p), "matmul"); });
  }

  // Rounding activations: by itself, and by what writes them.
  void RoundedBeside() {
    constexpr int64_t kRows = 8192, kHidden = 4096, kFfn = 14336;
    const Buffer residual(kRows * kHidden * 4), weight(kHidden * 4), normed(kRows * kHidden * 2),
        gate(kRows * kFfn * 2), up(kRows * kFfn * 2), bits(kRows * kFfn), scales(kRows * 4);
    const cuda::InE4M3 rounded = {bits.data(), static_cast<float*>(scales.data())};
    Report("quantize rows, 8192 x 4096", Time([&] {
             Require(cuda::QuantizeRows({normed.data(), cuda::DType::kBF16, kHidden, rounded.y,
                                         rounded.scales, kRows, kHidden}),
                     "quantize");
           }),
           3.0 * kRows * kHidden, 0);
    cuda::RmsNormParams norm{};
    norm.x = residual.data();
    norm.x_type = cuda::DType::kF32;
    norm.x_stride = norm.y_stride = norm.n = kHidden;
    norm.weight = static_cast<const float*>(weight.data());
    norm.y = normed.data();
    norm.rows = kRows;
    norm.eps = 1e-5f;
    norm.rounded = rounded;
    Report("rms norm, in fp8 too, 8192 x 4096", Time([&] { Require(cuda::RmsNorm(norm), "norm"); }),
           7.0 * kRows * kHidden, 0);
    Report("swiglu, in fp8 too, 8192 x 14336", Time([&] {
             Require(cuda::SwiGlu({gate.data(), up.data(), kFfn, kFfn, gate.data(), kFfn, kRows,
                                   kFfn, rounded}),
                     "swiglu");
           }),
           7.0 * kRows * kFfn, 0);
  }

  void Small() {
    constexpr int64_t kRows = 8192, kHidden = 4096, kFfn = 14336;
    const Buffer residual(kRows * kHidden * 4), weight(kHidden * 4), normed(kRows * kHidden * 2);
    cuda::RmsNormParams norm{};
    norm.x = residual.data();
    norm.x_type = cuda::DType::kF32;
    norm.x_stride = norm.y_stride = norm.n = kHidden;
    norm.weight = static_cast<const float*>(weight.data());
    norm.y = normed.data();
    norm.rows = kRows;
    norm.eps = 1e-5f;
    Report("rms norm, 8192 x 4096", Time([&] { Require(cuda::RmsNorm(norm), "norm"); }),
           6.0 * kRows * kHidden, 0);
    const Buffer gate(kRows * kFfn * 2), up(kRows * kFfn * 2);
    Report("swiglu, 8192 x 14336", Time([&] {
             Require(
                 cuda::SwiGlu({gate.data(), up.data(), kFfn, kFfn, gate.data(), kFfn, kRows, kFfn}),
                 "swiglu");
           }),
           6.0 * kRows * kFfn, 0);
    const Buffer other(kRows * kHidden * 2), sums(32 * 16),
        parts(cuda::CompareHeadsWorkspaceBytes(32));
    const cuda::CompareHeadsParams compare = {
        normed.data(), kHidden, other.data(), kHidden,
        kRows,         32,      128,          static_cast<double*>(sums.data()),
        parts.data()};
    Report("compare heads, 8192 x 32 heads of 128",
           Time([&] { Require(cuda::CompareHeads(compare), "compare"); }), 4.0 * kRows * kHidden,
           0);
    const std::vector<double> frequencies(64, 0.01);
    const Buffer frequency(64 * 8);
    Require(cudaMemcpy(frequency.data(), frequencies.data(), 64 * 8, cudaMemcpyHostToDevice),
            "copy");
    cuda::RopeParams rope{};
    rope.x = normed.data();
    rope.row_stride = kHidden;
    rope.head_stride = rope.rotary = 128;
    rope.rows = kRows;
    rope.heads = 32;
    rope.inverse_frequency = static_cast<const double*>(frequency.data());
    rope.first_position = 900000;
    NextTokens();
    Report("rope, 8192 x 32 heads of 128", Time([&] { Require(cuda::Rope(rope), "rope"); }),
           4.0 * kRows * kHidden, 0);
  }

  // From logits to a token; the bytes are those of the logits, read once.
  void NextTokens() {
    constexpr int64_t kVocabulary = 128256;
    int64_t bytes = 0;
    Require(cuda::SampleWorkspace(kVocabulary, &bytes), "the workspace");
    const Buffer logits(kVocabulary * 4), key(8), workspace(bytes);
    const auto* const values = static_cast<const float*>(logits.data());
    auto* const drawn = static_cast<uint64_t*>(key.data());
    Report("argmax, 128256 logits",
           Time([&] { Require(cuda::Argmax({values, kVocabulary, drawn}), "argmax"); }),
           4.0 * kVocabulary, 0);
    for (const int64_t top_k : {int64_t{0}, int64_t{40}}) {
      const std::string what = top_k == 0 ? "all" : "top " + std::to_string(top_k);
      Report("sample, 128256 logits, temperature 1, " + what, Time([&] {
               Require(cuda::Sample({values, kVocabulary, 1.0, top_k, 0.95, 0.5, drawn,
                                     workspace.data(), bytes}),
                       "sample");
             }),
             4.0 * kVocabulary, 0);
    }
  }

  void Decode(const char* name, int64_t rows, int64_t tokens, int64_t heads, int64_t kv_heads,
              bool fp8 = false) {
    constexpr int64_t kHead = 128;
    const Buffer q(rows * heads * kHead * 2), out(rows * heads * kHead * 2), lse(rows * heads * 4),
        k(tokens * kv_heads * kHead * 2), v(tokens * kv_heads * kHead * 2),
        workspace(cuda::kAttentionWorkspace);
    // Bits of bf16 in any case: as e4m3, and as scales, they are other numbers, but numbers.
    const Buffer scales(tokens * kv_heads * 2);
    cuda::CachedRun run{};
    run.k = k.data();
    run.v = v.data();
    run.row_stride = kv_heads * kHead;
    run.head_stride = kHead;
    run.tokens = tokens;
    run.k_scales = run.v_scales = scales.data();
    cuda::AttentionDecodeParams p{};
    p.q = q.data();
    p.q_row_stride = p.out_row_stride = heads * kHead;
    p.rows = rows;
    p.heads = heads;
    p.kv_heads = kv_heads;
    p.head_size = kHead;
    p.first_position = tokens - rows;
    p.scale = 0.088388f;
    p.runs = &run;
    p.run_count = 1;
    p.kv_type = fp8 ? cuda::DType::kE4M3 : cuda::DType::kBF16;
    p.out = out.data();
    p.lse = static_cast<float*>(lse.data());
    p.workspace = workspace.data();
    p.multiprocessors = info_.multiprocessors;
    const double ms = Time([&] { Require(cuda::AttentionDecode(p), "decode"); });
    const double pairs = static_cast<double>(rows) * static_cast<double>(tokens - rows) +
                         static_cast<double>(rows) * static_cast<double>(rows + 1) / 2;
    const double flops = 4.0 * pairs * static_cast<double>(heads) * kHead;
    Report("attention, " + std::string(name) + ", " + std::to_string(rows) + " rows on " +
               std::to_string(tokens) + (fp8 ? ", fp8" : ""),
           ms, (fp8 ? 2.03 : 4.0) * static_cast<double>(tokens * kv_heads * kHead),
           rows > 1 ? flops : 0);
  }

  const cuda::DeviceInfo& info_;
  cuda::BlasLt& blas_;
  double peak_bytes_ = 1, peak_flops_ = 1;
};

int Run() {
  std::string reason;
  if (cuda::DeviceCount(&reason) == 0) {
    std::fprintf(stderr, "longsight-bench-cuda: no device (%s)\n", reason.c_str());
    return 77;
  }
  cuda::DeviceInfo info;
  Require(cuda::GetDeviceInfo(0, &info), "the device");
  const auto blas = cuda::BlasLt::Open(cuda::BlasSearchOfEnvironment(), &reason);
  if (blas == nullptr) {
    std::fprintf(stderr, "longsight-bench-cuda: %s\n", reason.c_str());
    return 1;
  }
  std::printf("%s, sm_%d%d, %d multiprocessors; %s\n\n", info.name.c_str(), info.major, info.minor,
              info.multiprocessors, blas->path().c_str());
  Bench(info, *blas).Run();
  return 0;
}

}  // namespace
}  // namespace longsight::bench

int main() { return longsight::bench::Run(); }

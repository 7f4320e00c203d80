#include "cuda/fp8_linear.h"

#include "cuda/device.h"
#include "cuda/fp8_scale.h"

namespace longsight::cuda {
namespace {

// Of activations and their scales apart: more than any alignment that cuBLASLt looks at.
constexpr int64_t kAlignment = 256;
// Parts of the weights that are widened at a time: whole tiles of a product.
constexpr int64_t kPartRows = 256;

int64_t RowsBytes(int64_t rows, int64_t in) {
  // Widening takes a few rows in bf16 at the least.
  return index::DivideUp(index::Most(rows, 2) * in, kAlignment) * kAlignment;
}

std::string Failure(cudaError_t error, const char* doing) {
  return error == cudaSuccess ? "" : std::string(doing) + " failed: " + Describe(error);
}

}  // namespace

int64_t Fp8Linear::ScratchBytes(int64_t rows, int64_t in) {
  return RowsBytes(rows, in) + rows * static_cast<int64_t>(sizeof(float));
}

Fp8Linear::Fp8Linear(BlasLt& blas, int64_t rows, int64_t in, void* scratch)
    : blas_(blas),
      rows_(rows),
      in_(in),
      scratch_(scratch),
      scales_(reinterpret_cast<float*>(static_cast<std::byte*>(scratch) + RowsBytes(rows, in))) {}

std::string Fp8Linear::Multiply(const MatmulParams& p) {
  if (p.rows <= kStreamedRows) return Failure(MatmulStreamed(p), "a streamed product");
  if (p.rows > rows_ || p.in > in_) return "a product in e4m3 is larger than was said";
  MatmulParams rounded = p;
  rounded.x = scratch_;
  rounded.x_stride = p.in;
  rounded.x_scales = scales_;
  rounded.fast_sums = kFastSums;
  last_was_widened_ = !blas_.Has(rounded);
  if (last_was_widened_) return MultiplyWidened(p);
  const std::string failure = IsRounded(p) ? "" : Round(p);
  if (!failure.empty()) return failure;
  const BlasLt::Outcome outcome = blas_.Multiply(rounded);
  last_was_widened_ = outcome.unsupported;
  return last_was_widened_ ? MultiplyWidened(p) : outcome.failure;
}

InE4M3 Fp8Linear::Expect(const void* x, int64_t x_stride, int64_t rows, int64_t n) {
  if (last_was_widened_ || rows <= kStreamedRows || rows > rows_ || n > in_) return {};
  return Hold(x, x_stride, rows, n);
}

InE4M3 Fp8Linear::Hold(const void* x, int64_t x_stride, int64_t rows, int64_t n) {
  held_ = x;
  held_stride_ = x_stride;
  held_rows_ = rows;
  held_n_ = n;
  return {scratch_, scales_};
}

void Fp8Linear::Forget(const void* data, int64_t bytes) {
  if (held_ == nullptr) return;
  const auto begin = reinterpret_cast<uintptr_t>(data), held = reinterpret_cast<uintptr_t>(held_);
  const auto held_bytes = static_cast<uintptr_t>(held_rows_ * held_stride_ * 2);
  const bool apart = begin + static_cast<uintptr_t>(bytes) <= held || held + held_bytes <= begin;
  if (!apart) held_ = nullptr;
}

bool Fp8Linear::IsRounded(const MatmulParams& p) const {
  return held_ == p.x && held_stride_ == p.x_stride && held_n_ == p.in && p.rows <= held_rows_;
}

std::string Fp8Linear::Round(const MatmulParams& p) {
  const InE4M3 target = Hold(p.x, p.x_stride, p.rows, p.in);
  return Failure(QuantizeRows({p.x, DType::kBF16, p.x_stride, target.y, target.scales, p.rows, p.in,
                               p.stream}),
                 "rounding activations to e4m3");
}

std::string Fp8Linear::MultiplyWidened(const MatmulParams& p) {
  held_ = nullptr;
  const int64_t width = p.y_type == DType::kF32 ? 4 : 2;
  int64_t part = RowsAtOnce(p.out, p.in * 2, RowsBytes(rows_, in_));
  if (part > kPartRows) part = part / kPartRows * kPartRows;
  std::string failure;
  for (int64_t begin = 0; begin < p.out && failure.empty(); begin += part) {
    MatmulParams q = p;
    q.out = index::Least(part, p.out - begin);
    failure = Failure(DequantizeRows({static_cast<const std::byte*>(p.w) + begin * p.in,
                                      p.w_scales + begin, scratch_, q.out, p.in, p.stream}),
                      "widening weights");
    if (!failure.empty()) break;
    q.w = scratch_;
    q.w_scales = nullptr;
    if (p.bias != nullptr) q.bias = static_cast<const std::byte*>(p.bias) + begin * width;
    q.y = static_cast<std::byte*>(p.y) + begin * width;
    failure = blas_.Multiply(q).failure;
  }
  return failure;
}

}  // namespace longsight::cuda

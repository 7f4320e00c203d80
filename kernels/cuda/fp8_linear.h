// Linear layers whose weights are e4m3 with a scale for each row.
#pragma once

#include <string>

#include "cuda/blas_lt.h"
#include "cuda/kernels.h"

namespace longsight::cuda {

// Few rows are streamed against x as it is. Of more rows x is rounded to e4m3 too, and multiplied
// by cuBLASLt; where that has no such product (blas_lt.h), the weights are widened, a part at a
// time, and multiplied in bf16. One stream at a time.
class Fp8Linear {
 public:
  // Sums of some 14 bits cost less than the rounding of the operands to 4 (kernels/README.md), and
  // are faster.
  static constexpr bool kFastSums = true;

  // Device memory for products of up to `rows` rows of up to `in` elements.
  static int64_t ScratchBytes(int64_t rows, int64_t in);

  Fp8Linear(BlasLt& blas, int64_t rows, int64_t in, void* scratch);

  // x is bf16 and w e4m3: p.w_scales, and no p.x_scales. An empty string, or a sentence on what
  // failed.
  std::string Multiply(const MatmulParams& p);

  // Where whoever writes x, bf16, is to write it in e4m3 as well: y[rows, n] and its scales, for
  // the next products of x. Null when they are not going to read it.
  InE4M3 Expect(const void* x, int64_t x_stride, int64_t rows, int64_t n);
  // What x holds has changed: `bytes` from `data` on were written.
  void Forget(const void* data, int64_t bytes);

  // How the last product of many rows was made.
  bool last_was_widened() const { return last_was_widened_; }

 private:
  InE4M3 Hold(const void* x, int64_t x_stride, int64_t rows, int64_t n);
  bool IsRounded(const MatmulParams& p) const;
  std::string Round(const MatmulParams& p);
  std::string MultiplyWidened(const MatmulParams& p);

  BlasLt& blas_;
  int64_t rows_, in_;
  void* scratch_;  // e4m3 [rows, in], or a part of the weights in bf16
  float* scales_;  // [rows]
  // Which rows, in bf16, the scratch memory holds in e4m3: those of several products in turn.
  const void* held_ = nullptr;
  int64_t held_stride_ = 0, held_rows_ = 0, held_n_ = 0;
  bool last_was_widened_ = false;
};

}  // namespace longsight::cuda

// Matrix products of many rows, by NVIDIA's cuBLASLt. The library is opened when a device is first
// used, so that nothing depends on it where there is none.
#pragma once

#include <memory>
#include <string>

#include "cuda/blas_places.h"
#include "cuda/kernels.h"

namespace longsight::cuda {

// A cuBLASLt handle on the current device. One stream at a time.
class BlasLt {
 public:
  // Null, with a sentence in *refusal that names what was searched.
  static std::unique_ptr<BlasLt> Open(const BlasSearch& search, std::string* refusal);
  virtual ~BlasLt() = default;

  // The file that was opened.
  virtual const std::string& path() const = 0;
  // Device memory that Multiply may use; set before the first call.
  static constexpr int64_t kWorkspaceBytes = int64_t{64} << 20;
  virtual void SetWorkspace(void* workspace) = 0;
  // What came of a product.
  struct Outcome {
    std::string failure;       // empty: it is enqueued; else a sentence on what failed
    bool unsupported = false;  // this library has no such product on this device; nothing was done
  };
  // Any number of rows; the choice of algorithm is kept per shape. x and w both bf16 or both e4m3;
  // the latter only with `in` and `out` multiples of 16, with a bias only where y is bf16, from
  // cuBLASLt 12.9 on, and on sm_90: all else is `unsupported`.
  virtual Outcome Multiply(const MatmulParams& p) = 0;
  // False: Multiply would say `unsupported`. True where only the attempt can tell.
  virtual bool Has(const MatmulParams& p) = 0;
};

}  // namespace longsight::cuda

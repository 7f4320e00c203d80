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
  // Any number of rows; the choice of algorithm is kept per shape. An empty string, or a sentence
  // on what failed.
  virtual std::string Multiply(const MatmulParams& p) = 0;
};

}  // namespace longsight::cuda

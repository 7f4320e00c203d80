// Where cuBLASLt is looked for. No CUDA in here: this is tested where there is none.
#pragma once

#include <string>
#include <vector>

namespace longsight::cuda {

// What the environment says.
struct BlasSearch {
  std::string named;        // LONGSIGHT_CUBLASLT: the library itself, and then nothing else counts
  std::string toolkit;      // CUDA_HOME or CUDA_PATH
  std::string conda;        // CONDA_PREFIX
  std::string virtual_env;  // VIRTUAL_ENV
  std::string home;         // HOME
};
BlasSearch BlasSearchOfEnvironment();

// In the order of the search: bare names for the system's loader, then patterns as glob(3) takes
// them, in the toolkit, the conda tree and Python's packages.
std::vector<std::string> BlasCandidates(const BlasSearch& search);

}  // namespace longsight::cuda

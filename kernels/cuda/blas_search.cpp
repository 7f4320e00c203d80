// Where cuBLASLt is looked for.
#include <cstdlib>

#include "cuda/blas_places.h"

namespace longsight::cuda {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

BlasSearch BlasSearchOfEnvironment() {
  BlasSearch search;
  search.named = Variable("LONGSIGHT_CUBLASLT");
  search.toolkit = Variable("CUDA_HOME");
  if (search.toolkit.empty()) search.toolkit = Variable("CUDA_PATH");
  search.conda = Variable("CONDA_PREFIX");
  search.virtual_env = Variable("VIRTUAL_ENV");
  search.home = Variable("HOME");
  return search;
}

std::vector<std::string> BlasCandidates(const BlasSearch& search) {
  if (!search.named.empty()) return {search.named};
  // The versions whose interface blas_lt_abi.h describes, the newest first.
  const std::string names[] = {"libcublasLt.so.13", "libcublasLt.so.12"};
  std::vector<std::string> folders;
  if (!search.toolkit.empty()) folders.push_back(search.toolkit + "/lib64");
  folders.push_back("/usr/local/cuda*/lib64");
  if (!search.conda.empty()) folders.push_back(search.conda + "/lib");
  // The wheels of PyPI: nvidia-cublas and nvidia-cublas-cu12.
  const std::string wheel = "/python3*/site-packages/nvidia/*/lib";
  if (!search.virtual_env.empty()) folders.push_back(search.virtual_env + "/lib" + wheel);
  if (!search.conda.empty()) folders.push_back(search.conda + "/lib" + wheel);
  if (!search.home.empty()) folders.push_back(search.home + "/.local/lib" + wheel);
  folders.push_back("/usr/local/lib" + wheel);
  folders.push_back("/usr/local/lib/python3*/dist-packages/nvidia/*/lib");
  folders.push_back("/usr/lib/python3*/dist-packages/nvidia/*/lib");
  std::vector<std::string> candidates;
  for (const std::string& name : names) candidates.push_back(name);
  for (const std::string& folder : folders) {
    for (const std::string& name : names) candidates.push_back(folder + "/" + name);
  }
  return candidates;
}

}  // namespace longsight::cuda

// Where cuBLASLt is looked for. Needs no GPU.
#include <algorithm>

#include "check.h"
#include "cuda/blas_places.h"

namespace longsight::test {
namespace {

int Run() {
  cuda::BlasSearch search;
  search.toolkit = "/opt/toolkit";
  search.conda = "/opt/conda";
  search.virtual_env = "/home/me/env";
  search.home = "/home/me";
  const std::vector<std::string> all = cuda::BlasCandidates(search);
  const auto place = [&](const std::string& name) {
    return std::find(all.begin(), all.end(), name) - all.begin();
  };
  const auto count = static_cast<int64_t>(all.size());
  const std::vector<std::string> order = {
      "libcublasLt.so.13",
      "/opt/toolkit/lib64/libcublasLt.so.13",
      "/usr/local/cuda*/lib64/libcublasLt.so.12",
      "/opt/conda/lib/libcublasLt.so.13",
      "/home/me/env/lib/python3*/site-packages/nvidia/*/lib/libcublasLt.so.13",
      "/home/me/.local/lib/python3*/site-packages/nvidia/*/lib/libcublasLt.so.12",
      "/usr/lib/python3*/dist-packages/nvidia/*/lib/libcublasLt.so.12",
  };
  for (size_t i = 0; i < order.size(); ++i) {
    Check(place(order[i]) < count, order[i] + " is not searched");
    Check(i == 0 || place(order[i - 1]) < place(order[i]), order[i] + " comes too early");
  }
  // What is not set makes no place of its own, such as "/lib64".
  const std::vector<std::string> bare = cuda::BlasCandidates({});
  for (const std::string& candidate : bare) {
    Check(candidate.rfind("/lib", 0) != 0, "searches " + candidate);
  }
  search.named = "/my/libcublasLt.so";
  Check(cuda::BlasCandidates(search) == std::vector<std::string>{"/my/libcublasLt.so"},
        "a named library is not the only candidate");
  return Result("cuda_places_test");
}

}  // namespace
}  // namespace longsight::test

int main() { return longsight::test::Run(); }

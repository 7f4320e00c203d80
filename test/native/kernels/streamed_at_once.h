// Several streamed products in one launch: the very results of as many launches.
#pragma once

#include "cuda_memory.h"

namespace longsight::test {

// Products of one x; results[i] is products[i].y, and is overwritten.
inline void CheckAtOnce(std::vector<cuda::MatmulParams> products,
                        const std::vector<const DeviceBytes*>& results, const std::string& what) {
  std::vector<std::vector<unsigned char>> expected;
  for (size_t i = 0; i < products.size(); ++i) {
    CheckCuda(cuda::MatmulStreamed(products[i]), what);
    expected.push_back(results[i]->Bytes());
    CheckCuda(cudaMemset(results[i]->data(), 0xFF, expected[i].size()), "clearing a result");
  }
  CheckCuda(cuda::MatmulStreamed(products.data(), static_cast<int>(products.size())), what);
  for (size_t i = 0; i < products.size(); ++i) {
    Check(results[i]->Bytes() == expected[i], what + ", product " + std::to_string(i));
  }
  products.back().rows += 1;
  Check(cuda::MatmulStreamed(products.data(), static_cast<int>(products.size())) ==
            cudaErrorInvalidValue,
        what + ": products of different rows are refused");
}

}  // namespace longsight::test

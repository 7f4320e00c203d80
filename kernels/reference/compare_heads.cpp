#include <cstddef>

#include "reference.h"

namespace longsight::reference {

std::vector<double> CompareHeads(const float* expected, const float* actual, int64_t rows,
                                 int64_t heads, int64_t head_size) {
  std::vector<double> sums(static_cast<size_t>(2 * heads));
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < head_size; ++i) {
        const int64_t at = (row * heads + head) * head_size + i;
        const double whole = static_cast<double>(expected[at]);
        const double difference = static_cast<double>(actual[at]) - whole;
        sums[static_cast<size_t>(2 * head)] += whole * whole;
        sums[static_cast<size_t>(2 * head + 1)] += difference * difference;
      }
    }
  }
  return sums;
}

}  // namespace longsight::reference

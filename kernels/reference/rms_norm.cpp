#include <cmath>

#include "reference.h"

namespace longsight::reference {

void Normalize(const float* x, const float* weight, int64_t rows, int64_t n, double eps,
               double* y) {
  for (int64_t r = 0; r < rows; ++r) {
    double squares = 0;
    for (int64_t i = 0; i < n; ++i) squares += std::pow(static_cast<double>(x[r * n + i]), 2);
    const double root = std::sqrt(squares / static_cast<double>(n) + eps);
    for (int64_t i = 0; i < n; ++i)
      y[r * n + i] = static_cast<double>(x[r * n + i]) / root * static_cast<double>(weight[i]);
  }
}

}  // namespace longsight::reference

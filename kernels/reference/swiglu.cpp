#include <cmath>

#include "reference.h"

namespace longsight::reference {

void Gate(const float* gate, const float* up, int64_t n, double* y) {
  for (int64_t i = 0; i < n; ++i) {
    const double g = static_cast<double>(gate[i]);
    y[i] = g / (1.0 + std::exp(-g)) * static_cast<double>(up[i]);
  }
}

}  // namespace longsight::reference

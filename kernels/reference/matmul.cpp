#include "reference.h"

namespace longsight::reference {

void Multiply(const Product& p, double* y) {
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int64_t o = 0; o < p.out; ++o) {
      double sum = 0;
      for (int64_t i = 0; i < p.in; ++i) {
        sum += static_cast<double>(p.x[r * p.in + i]) * static_cast<double>(p.w[o * p.in + i]);
      }
      if (p.bias != nullptr) sum += static_cast<double>(p.bias[o]);
      if (p.add) sum += y[r * p.out + o];
      y[r * p.out + o] = sum;
    }
  }
}

}  // namespace longsight::reference

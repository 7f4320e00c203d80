#include <cmath>

#include "reference.h"

namespace longsight::reference {

void Rotate(const Rotation& p, const float* x, double* y) {
  const int64_t half = p.rotary / 2;
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int64_t h = 0; h < p.heads; ++h) {
      const float* from = x + (r * p.heads + h) * p.head_size;
      double* to = y + (r * p.heads + h) * p.head_size;
      for (int64_t i = 0; i < p.head_size; ++i) to[i] = static_cast<double>(from[i]);
      for (int64_t i = 0; i < half; ++i) {
        // long double, so that the oracle's own angle is exact beyond doubt.
        const long double angle = static_cast<long double>(p.first_position + r) *
                                  static_cast<long double>(p.frequency[i]);
        const double c = static_cast<double>(std::cos(angle)) * p.magnitude;
        const double s = static_cast<double>(std::sin(angle)) * p.magnitude;
        const int64_t a = p.interleaved ? 2 * i : i;
        const int64_t b = p.interleaved ? 2 * i + 1 : i + half;
        to[a] = static_cast<double>(from[a]) * c - static_cast<double>(from[b]) * s;
        to[b] = static_cast<double>(from[b]) * c + static_cast<double>(from[a]) * s;
      }
    }
  }
}

}  // namespace longsight::reference

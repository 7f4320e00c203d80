#include <algorithm>
#include <cmath>
#include <limits>

#include "reference.h"

namespace longsight::reference {

double E4M3Value(uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<double>::quiet_NaN();
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return (bits & 0x80) != 0 ? -magnitude : magnitude;
}

// All 127 magnitudes are tried.
uint8_t NearestE4M3(double x) {
  if (std::isnan(x)) return 0x7f;
  const double magnitude = std::fabs(x);
  uint8_t best = 0;
  for (uint8_t bits = 1; bits < 0x7f; ++bits) {
    const double to_this = std::fabs(magnitude - E4M3Value(bits));
    const double to_best = std::fabs(magnitude - E4M3Value(best));
    if (to_this < to_best || (to_this == to_best && bits % 2 == 0)) best = bits;
  }
  return static_cast<uint8_t>(best | (std::signbit(x) ? 0x80 : 0));
}

RoundedRows RoundRowsToE4M3(const float* x, int64_t rows, int64_t n) {
  RoundedRows rounded;
  for (int64_t row = 0; row < rows; ++row) {
    double most = 0;
    for (int64_t i = 0; i < n; ++i) {
      most = std::max(most, std::fabs(static_cast<double>(x[row * n + i])));
    }
    const double scale = most > 0 ? most / 448 : 1;
    rounded.scales.push_back(scale);
    for (int64_t i = 0; i < n; ++i) {
      const uint8_t bits = NearestE4M3(static_cast<double>(x[row * n + i]) / scale);
      rounded.values.push_back(E4M3Value(bits));
    }
  }
  return rounded;
}

}  // namespace longsight::reference

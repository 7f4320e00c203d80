#include <cmath>
#include <limits>

#include "reference.h"

namespace longsight::reference {
namespace {

// A binary format of 16 bits with `mantissa` stored bits.
double Value(uint16_t bits, int mantissa) {
  const int exponent_bits = 15 - mantissa;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits & 0x7fff) >> mantissa;
  const int fraction = bits & ((1 << mantissa) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - mantissa);
  return sign * std::ldexp(fraction + (1 << mantissa), exponent - bias - mantissa);
}

// Bisects the non-negative values, which grow with their bits, then takes the nearer neighbour.
uint16_t Nearest(float x, int mantissa) {
  const uint16_t infinity = static_cast<uint16_t>(0x7fff >> mantissa << mantissa);
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  if (std::isnan(x)) return static_cast<uint16_t>(sign | infinity | (1 << (mantissa - 1)));
  const double magnitude = std::fabs(static_cast<double>(x));
  if (std::isinf(x)) return static_cast<uint16_t>(sign | infinity);
  int below = 0;
  int above = infinity;
  while (above - below > 1) {
    const int middle = (below + above) / 2;
    (Value(static_cast<uint16_t>(middle), mantissa) <= magnitude ? below : above) = middle;
  }
  const double low = Value(static_cast<uint16_t>(below), mantissa);
  // Past the largest finite value the next one counts as if the exponents went on (IEEE 754-2019,
  // section 4.3.1).
  const double step = low - Value(static_cast<uint16_t>(below - 1), mantissa);
  const double high =
      above == infinity ? low + step : Value(static_cast<uint16_t>(above), mantissa);
  const double to_low = magnitude - low;
  const double to_high = high - magnitude;
  const bool up = to_high < to_low || (to_high == to_low && below % 2 == 1);
  return static_cast<uint16_t>(sign | (up ? above : below));
}

}  // namespace

double Bf16Value(uint16_t bits) { return Value(bits, 7); }
double F16Value(uint16_t bits) { return Value(bits, 10); }
uint16_t NearestBf16(float x) { return Nearest(x, 7); }
uint16_t NearestF16(float x) { return Nearest(x, 10); }

}  // namespace longsight::reference

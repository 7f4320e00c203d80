// Rows in e4m3: what is plain arithmetic, and the oracle's own rounding.
#include "cuda/fp8_scale.h"

#include "check.h"
#include "reference/reference.h"

namespace longsight::test {
namespace {

// Whatever the largest magnitude of a row is, it lands on the largest e4m3, and nothing overflows.
void TestScales() {
  for (int exponent = -149; exponent <= 127; ++exponent) {
    for (const float mantissa : {1.0f, 1.1f, 1.5f, 1.75f, 1.9999998f}) {
      const float most = std::ldexp(mantissa, exponent);
      const float scale = cuda::ScaleOfRow(most);
      const std::string what =
          "a row of up to " + std::to_string(mantissa) + " * 2^" + std::to_string(exponent);
      Check(std::isnormal(scale) && std::isfinite(1 / scale), what + ": no usable scale");
      const float shrunk = most * (1 / scale);
      Check(shrunk <= 448.001f, what + ": overflows");
      // Below, the scale cannot be smaller, and the row loses bits.
      if (exponent >= -116) Check(shrunk >= 447.999f, what + ": does not use the range");
    }
  }
  Check(cuda::ScaleOfRow(0) == 1.0f, "a row of zeros");
}

// Of an f16 number that is none of the special ones.
double F16Value(uint32_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
  const double size =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 != 0 ? -size : size;
}

// Both numbers of a pair, exactly.
void TestPairs() {
  for (uint32_t pair = 0; pair < 0x10000; ++pair) {
    if ((pair & 0x7F) == 0x7F || (pair & 0x7F00) == 0x7F00) continue;  // NaN
    const uint32_t two = cuda::ShrunkF16Pair(pair | 0xABCD0000u);
    const bool same =
        F16Value(two & 0xFFFF) * 256 == reference::E4M3Value(static_cast<uint8_t>(pair)) &&
        F16Value(two >> 16) * 256 == reference::E4M3Value(static_cast<uint8_t>(pair >> 8));
    Check(same, "e4m3 pair " + std::to_string(pair));
  }
}

// The largest element of a row comes near f16's end and not past it.
void TestExponents() {
  for (int exponent = -149; exponent <= 127; ++exponent) {
    for (const float mantissa : {1.0f, 1.5f, 1.9999998f}) {
      const float most = std::ldexp(mantissa, exponent);
      const int e = cuda::RowExponent(most);
      const std::string what = "a row of up to 2^" + std::to_string(exponent);
      Check(cuda::PowerOfTwo(e) == std::ldexp(1.0f, e) && std::isnormal(cuda::PowerOfTwo(e)) &&
                cuda::PowerOfTwo(-e) == std::ldexp(1.0f, -e) && std::isnormal(cuda::PowerOfTwo(-e)),
            what + ": no usable factor");
      const double scaled = std::ldexp(static_cast<double>(most), -e);
      Check(scaled < 32768, what + ": too large");
      if (exponent >= -112) Check(scaled >= 16384, what + ": too small");
    }
  }
  Check(cuda::RowExponent(0) == 0 && cuda::RowExponent(-0.0f) == 0, "a row of zeros");
}

void TestSizes() {
  Check(cuda::Fp8Bytes(14336, 4096) == int64_t{14336} * 4096 + 14336 * 4, "bytes of a matrix");
  Check(cuda::Fp8Bytes(1 << 20, 1 << 13) == (int64_t{1} << 33) + (1 << 22), "past 2^32");
  Check(cuda::RowsAtOnce(14336, 8192, 32 << 20) == 4096, "rows in 32 MiB");
  Check(cuda::RowsAtOnce(100, 8192, 32 << 20) == 100, "no more rows than there are");
  Check(cuda::RowsAtOnce(100, 64 << 20, 32 << 20) == 1, "a row that is too long goes by itself");
  Check(cuda::RowsAtOnce(int64_t{1} << 40, 3, int64_t{1} << 36) == (int64_t{1} << 36) / 3,
        "rows past 2^32");
}

// Every value is its own nearest, and the middle of two neighbours goes to the even one.
void TestOracle() {
  for (int bits = 0; bits < 0x7f; ++bits) {
    const double value = reference::E4M3Value(static_cast<uint8_t>(bits));
    Check(reference::NearestE4M3(value) == bits, "e4m3 " + std::to_string(bits));
    Check(reference::NearestE4M3(-value) == (bits | 0x80), "e4m3 -" + std::to_string(bits));
    if (bits == 0x7e) continue;
    const double next = reference::E4M3Value(static_cast<uint8_t>(bits + 1));
    Check(next > value, "e4m3 grows with its bits");
    Check(reference::NearestE4M3((value + next) / 2) == (bits % 2 == 0 ? bits : bits + 1),
          "the tie above e4m3 " + std::to_string(bits));
  }
  Check(reference::E4M3Value(0x7e) == 448 && reference::E4M3Value(1) == 0x1p-9, "e4m3's ends");
  Check(reference::NearestE4M3(1e9) == 0x7e && reference::NearestE4M3(NAN) == 0x7f, "past the end");
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::TestScales();
  longsight::test::TestPairs();
  longsight::test::TestExponents();
  longsight::test::TestSizes();
  longsight::test::TestOracle();
  return longsight::test::Result("fp8_scale_test");
}

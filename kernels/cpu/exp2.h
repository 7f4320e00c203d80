// 2^x for vectors.
#pragma once

namespace longsight::cpu {

// Within 2 ulp for x in [-126, 127.5); below -126.5 (and at -inf) exactly 0, from 127.5 on inf; 2^0
// is exactly 1; NaN stays NaN. x = n + f with |f| <= 1/2; 2^f = 1 + f * q(f), q the degree-4
// minimax fit of (2^f - 1) / f for the relative error of 2^f (9.1e-8, found by iteratively
// reweighted least squares over Chebyshev points).
template <class S>
[[gnu::always_inline]] inline typename S::V Exp2(typename S::V x) {
  using V = typename S::V;
  // Adding 1.5 * 2^23 rounds to an integer in the low mantissa bits; the 127 makes it a biased
  // exponent. At -127 that exponent is 0, and so is the result.
  const V magic = S::Set1(12582912.0f + 127.0f);
  // The constant goes first: max and min return their second operand when one is NaN.
  const V clamped = S::Min(S::Set1(128.0f), S::Max(S::Set1(-127.0f), x));
  const V rounded = S::Add(clamped, magic);
  const V f = S::Sub(clamped, S::Sub(rounded, magic));
  V q = S::Set1(0.001326472731307149f);
  q = S::Fma(q, f, S::Set1(0.009671512991189957f));
  q = S::Fma(q, f, S::Set1(0.05550733581185341f));
  q = S::Fma(q, f, S::Set1(0.24022242426872253f));
  q = S::Fma(q, f, S::Set1(0.6931470036506653f));
  return S::Mul(S::Fma(q, f, S::Set1(1.0f)), S::ShiftToExponent(rounded));
}

}  // namespace longsight::cpu

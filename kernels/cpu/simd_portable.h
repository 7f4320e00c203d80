// Vectors of 4 floats in the GCC and Clang vector extension: SSE2 on x86, NEON on Arm, plain code
// elsewhere.
#pragma once

#include <cstdint>
#include <cstring>

#include "scalar_types.h"

namespace longsight::cpu {

struct Portable {
  using V = float __attribute__((vector_size(16)));
  using I = int32_t __attribute__((vector_size(16)));
  static constexpr int kWidth = 4;
  // Register tiles: (rows broadcast) x (vectors), within 16 registers.
  static constexpr int kMatmulRows = 4, kMatmulVectors = 2;
  static constexpr int kAttentionRows = 4, kAttentionVectors = 2;
  // Vectors that 64 probe rows fill without a rest.
  static constexpr int kProbeRows = 4, kProbeVectors = 2;

  static V Zero() { return V{}; }
  static V Set1(float x) { return V{x, x, x, x}; }
  static V Broadcast(const float* p) { return Set1(*p); }
  static V Load(const float* p) {
    V v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  // What the wider instruction sets do here is not worth a special case.
  static void KeepInRegister(V&) {}
  static void Store(float* p, V v) { std::memcpy(p, &v, sizeof v); }
  static V Add(V a, V b) { return a + b; }
  static V Sub(V a, V b) { return a - b; }
  static V Mul(V a, V b) { return a * b; }
  static V Div(V a, V b) { return a / b; }
  static V Fma(V a, V b, V c) { return a * b + c; }
  static V Max(V a, V b) { return a > b ? a : b; }
  static V Min(V a, V b) { return a < b ? a : b; }
  // a <= b ? yes : no, lane by lane.
  static V WhereLe(V a, V b, V yes, V no) { return a <= b ? yes : no; }
  // The low bits of each lane moved into the exponent field.
  static V ShiftToExponent(V v) {
    I bits;
    std::memcpy(&bits, &v, sizeof bits);
    bits <<= 23;
    std::memcpy(&v, &bits, sizeof v);
    return v;
  }
  static float ReduceAdd(V v) { return (v[0] + v[1]) + (v[2] + v[3]); }
  static float ReduceMax(V v) {
    const float a = v[0] > v[1] ? v[0] : v[1];
    const float b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
  }
  // sums[i] = the sum of v[i]'s lanes.
  static void ReduceAdd4(V a, V b, V c, V d, float* sums) {
    sums[0] = ReduceAdd(a);
    sums[1] = ReduceAdd(b);
    sums[2] = ReduceAdd(c);
    sums[3] = ReduceAdd(d);
  }
  static V LoadBf16(const uint16_t* p) {
    return V{FloatFromBf16(p[0]), FloatFromBf16(p[1]), FloatFromBf16(p[2]), FloatFromBf16(p[3])};
  }
  static V LoadF16(const uint16_t* p) {
    return V{FloatFromF16(p[0]), FloatFromF16(p[1]), FloatFromF16(p[2]), FloatFromF16(p[3])};
  }
  static void StoreBf16(uint16_t* p, V v) {
    for (int i = 0; i < kWidth; ++i) p[i] = Bf16FromFloat(v[i]);
  }
  static void StoreF16(uint16_t* p, V v) {
    for (int i = 0; i < kWidth; ++i) p[i] = F16FromFloat(v[i]);
  }
  static void Transpose(V (&r)[kWidth]) {
    V t[kWidth];
    for (int i = 0; i < kWidth; ++i) t[i] = V{r[0][i], r[1][i], r[2][i], r[3][i]};
    for (int i = 0; i < kWidth; ++i) r[i] = t[i];
  }
};

}  // namespace longsight::cpu

// What the units of an attention tile are (dot.h): how queries, keys, values and weights are laid
// out for the two products.
#pragma once

#include <cstring>

#include "attention_rows.h"
#include "dot.h"
#include "load.h"

namespace longsight::cpu {

// fp32 throughout, whatever the type of K and V.
template <class S>
struct WidenedTile {
  using Dot = FmaDot<S>;

  static bool Fits(const AttentionParams&) { return true; }

  static float QueryUnit(const float* q) { return *q; }

  // to[head_size] = a key.
  static void LoadKey(const AttentionParams& p, const void* key, float* to) {
    WidenRow<S>(key, p.kv.type, to, p.head_size);
  }

  static void LoadValues(const AttentionParams& p, const void* value, const void* /*next*/,
                         float* to) {
    WidenRow<S>(value, p.kv.type, to, p.head_size);
  }

  static typename S::V WeightUnit(const typename S::V (&weights)[1]) { return weights[0]; }
};

// Pairs of bf16: K as it lies, queries and weights rounded.
template <class S, class PairDot>
struct PairedTile {
  using Dot = PairDot;

  static bool Fits(const AttentionParams& p) {
    return p.round_activations && p.kv.type == DType::kBF16 && p.head_size % S::kWidth == 0;
  }

  static float QueryUnit(const float* q) {
    return FloatFromBits(Bf16FromFloat(q[0]) | (uint32_t{Bf16FromFloat(q[1])} << 16));
  }

  static void LoadKey(const AttentionParams& p, const void* key, float* to) {
    std::memcpy(to, key, static_cast<size_t>(p.head_size) * 2);
  }

  // to[head_size] = pairs of one key's values and the next one's; zeros where that is null.
  static void LoadValues(const AttentionParams& p, const void* value, const void* next, float* to) {
    const auto* first = static_cast<const uint16_t*>(value);
    const auto* second = static_cast<const uint16_t*>(next);
    for (int64_t c = 0; c < p.head_size; c += S::kWidth) {
      S::Store(to + c, second == nullptr ? S::PairWithZero(first + c)
                                         : S::Interleave(first + c, second + c));
    }
  }

  static typename S::V WeightUnit(const typename S::V (&weights)[2]) {
    return S::RoundToPairs(weights[0], weights[1]);
  }
};

}  // namespace longsight::cpu

// Rope of kernels.h (Su et al., "RoFormer", arXiv 2104.09864).
#pragma once

#include <cmath>

#include "kernels.h"
#include "thread_pool.h"
#include "tiling.h"

namespace longsight::cpu {

// The angles of one row after another. Each task starts from an exact angle and steps to the next
// row by the addition theorem in fp64: 64 steps lose under 64 x 2^-52, far below fp32, and cost
// four multiplications where a sine and a cosine would cost a hundred.
template <class S>
class RopeAngles {
 public:
  // Pairs of one head: rotary / 2 <= kMaxPairs at a time.
  static constexpr int64_t kMaxPairs = 128;

  void Start(const double* inverse_frequency, int64_t pairs, int64_t position) {
    pairs_ = pairs;
    for (int64_t i = 0; i < pairs; ++i) {
      const double angle = ReduceTurn(static_cast<double>(position) * inverse_frequency[i]);
      cos_[i] = std::cos(angle);
      sin_[i] = std::sin(angle);
      const double step = ReduceTurn(inverse_frequency[i]);
      step_cos_[i] = std::cos(step);
      step_sin_[i] = std::sin(step);
    }
  }

  void Next() {
    for (int64_t i = 0; i < pairs_; ++i) {
      const double c = cos_[i] * step_cos_[i] - sin_[i] * step_sin_[i];
      const double s = sin_[i] * step_cos_[i] + cos_[i] * step_sin_[i];
      cos_[i] = c;
      sin_[i] = s;
    }
  }

  void Write(float magnitude, float* cos, float* sin) const {
    const double scale = static_cast<double>(magnitude);
    for (int64_t i = 0; i < pairs_; ++i) {
      cos[i] = static_cast<float>(cos_[i] * scale);
      sin[i] = static_cast<float>(sin_[i] * scale);
    }
  }

 private:
  // |result| <= pi. The product position * frequency carries a relative error of 2^-53; fmod is
  // exact.
  static double ReduceTurn(double angle) {
    return std::remainder(angle, 6.283185307179586476925286766559);
  }

  int64_t pairs_ = 0;
  double cos_[kMaxPairs], sin_[kMaxPairs], step_cos_[kMaxPairs], step_sin_[kMaxPairs];
};

// One head: elements 2i, 2i + 1 (interleaved) or i, i + pairs are turned by angle i.
template <class S>
inline void RotateHead(float* first, int64_t pairs, int64_t second_offset, bool interleaved,
                       const float* cos, const float* sin) {
  int64_t i = 0;
  if (!interleaved) {
    float* second = first + second_offset;
    for (; i + S::kWidth <= pairs; i += S::kWidth) {
      const typename S::V a = S::Load(first + i);
      const typename S::V b = S::Load(second + i);
      const typename S::V c = S::Load(cos + i);
      const typename S::V s = S::Load(sin + i);
      S::Store(first + i, S::Sub(S::Mul(a, c), S::Mul(b, s)));
      S::Store(second + i, S::Fma(b, c, S::Mul(a, s)));
    }
  }
  for (; i < pairs; ++i) {
    float* a = interleaved ? first + 2 * i : first + i;
    float* b = interleaved ? a + 1 : first + second_offset + i;
    const float turned_a = *a * cos[i] - *b * sin[i];
    *b = *b * cos[i] + *a * sin[i];
    *a = turned_a;
  }
}

template <class S>
void RopeFor(ThreadPool& pool, const RopeParams& p) {
  constexpr int64_t kTaskRows = 64;
  const int64_t half = p.rotary / 2;
  pool.ParallelFor(CeilDiv(p.rows, kTaskRows), [&](int64_t task, int) {
    const int64_t begin = task * kTaskRows;
    const int64_t end = Min(p.rows, begin + kTaskRows);
    RopeAngles<S> angles;
    alignas(64) float cos[RopeAngles<S>::kMaxPairs];
    alignas(64) float sin[RopeAngles<S>::kMaxPairs];
    for (int64_t first = 0; first < half; first += RopeAngles<S>::kMaxPairs) {
      const int64_t pairs = Min(RopeAngles<S>::kMaxPairs, half - first);
      angles.Start(p.inverse_frequency + first, pairs, p.first_position + begin);
      for (int64_t r = begin; r < end; ++r) {
        angles.Write(p.magnitude, cos, sin);
        for (int64_t h = 0; h < p.heads; ++h) {
          float* head =
              p.x + r * p.row_stride + h * p.head_stride + (p.interleaved ? 2 * first : first);
          RotateHead<S>(head, pairs, half, p.interleaved, cos, sin);
        }
        angles.Next();
      }
    }
  });
}

}  // namespace longsight::cpu

// The compute-bound matrix product: the loop order of Goto and van de Geijn ("Anatomy of
// High-Performance Matrix Multiplication", 2008). A task owns a rows x outs block of y; W's panel
// of 16 (or 32) outs stays in L1 while the packed rows pass from L2.
#pragma once

#include "dot.h"
#include "matmul_pack.h"
#include "thread_pool.h"

namespace longsight::cpu {

// Block sizes, in rows, outs and 32-bit units of `in`. Per thread: activations 144 x 528 x 4 = 297
// KiB (part of a 512 KiB L2), weights 512 x 512 x 4 = 1 MiB; a W panel of 16 outs is 24 KiB (part
// of a 32 KiB L1), or 32 KiB when that saves a second pass over y.
template <class S>
struct MatmulBlocks {
  static constexpr int64_t kMr = S::kMatmulRows;
  static constexpr int64_t kNr = int64_t{S::kMatmulVectors} * S::kWidth;
  static constexpr int64_t kUnits = 512;
  static constexpr int64_t kSplitUnits = 384;
  // A row of the packed activations; the padding spreads the rows of a tile over the sets of L1.
  static constexpr int64_t kRowStride = kUnits + 16;
  static constexpr int64_t kRows = 144;
  static constexpr int64_t kOuts = 512;
  // Rows of one task: W is packed once for so many.
  static constexpr int64_t kTaskRows = 4 * kRows;
  static_assert(kRows % kMr == 0 && kOuts % kNr == 0);
  static_assert((kRows * kRowStride + kOuts * kUnits) * sizeof(float) <= ThreadPool::kScratchBytes);
};

struct MatmulTaskShape {
  int64_t rows, outs;
};

// Blocks as large as the caches like, halved until every thread has some three of them to even out
// the end.
template <class S>
inline MatmulTaskShape ChooseMatmulTask(int64_t rows, int64_t out, int64_t threads) {
  using B = MatmulBlocks<S>;
  constexpr int64_t kLeastRows = 4 * B::kMr, kLeastOuts = 4 * B::kNr;
  MatmulTaskShape shape{Min(RoundUp(rows, B::kMr), B::kTaskRows),
                        Min(RoundUp(out, B::kNr), B::kOuts)};
  const auto tasks = [&] { return CeilDiv(rows, shape.rows) * CeilDiv(out, shape.outs); };
  while (threads > 1 && tasks() < 3 * threads) {
    if (shape.rows >= shape.outs && shape.rows > kLeastRows) {
      shape.rows = RoundUp(shape.rows / 2, B::kMr);
    } else if (shape.outs > kLeastOuts) {
      shape.outs = RoundUp(shape.outs / 2, B::kNr);
    } else if (shape.rows > kLeastRows) {
      shape.rows = RoundUp(shape.rows / 2, B::kMr);
    } else {
      break;
    }
  }
  return shape;
}

// Units of `in` to a block: all of them while they fit, since every further block reads and writes
// y again; otherwise blocks of one size, small enough that a W panel leaves room in L1.
template <class S>
static constexpr int64_t BlockUnits(int64_t units) {
  using B = MatmulBlocks<S>;
  if (units <= B::kUnits) return units;
  return RoundUp(CeilDiv(units, CeilDiv(units, B::kSplitUnits)), S::kWidth);
}

// One register tile into y. The first block of `in` starts from bias (or from y when adding), the
// later ones add to y.
template <class S>
[[gnu::always_inline]] inline void StoreMatmulTile(
    const typename S::V (&acc)[S::kMatmulRows][S::kMatmulVectors], const MatmulParams& p,
    int64_t row, int64_t out, bool first) {
  constexpr int W = S::kWidth;
  constexpr int64_t kOuts = int64_t{S::kMatmulVectors} * W;
  const bool onto_y = p.add || !first;
  const float* bias = first && p.bias != nullptr ? p.bias + out : nullptr;
  if (row + S::kMatmulRows <= p.rows && out + kOuts <= p.out) {
#pragma GCC unroll 16
    for (int i = 0; i < S::kMatmulRows; ++i) {
      float* y = p.y + (row + i) * p.y_stride + out;
#pragma GCC unroll 8
      for (int j = 0; j < S::kMatmulVectors; ++j) {
        typename S::V v = acc[i][j];
        if (bias != nullptr) v = S::Add(v, S::Load(bias + j * W));
        if (onto_y) v = S::Add(v, S::Load(y + j * W));
        S::Store(y + j * W, v);
      }
    }
    return;
  }
  alignas(64) float tile[S::kMatmulRows][kOuts];
#pragma GCC unroll 16
  for (int i = 0; i < S::kMatmulRows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < S::kMatmulVectors; ++j) S::Store(&tile[i][j * W], acc[i][j]);
  }
  for (int64_t i = 0; i < Min(S::kMatmulRows, p.rows - row); ++i) {
    float* y = p.y + (row + i) * p.y_stride + out;
    for (int64_t c = 0; c < Min(kOuts, p.out - out); ++c) {
      y[c] = tile[i][c] + (bias != nullptr ? bias[c] : 0.0f) + (onto_y ? y[c] : 0.0f);
    }
  }
}

// Starts fetching the lines of y that StoreMatmulTile will write, while the sums are being made.
template <class S>
inline void PrefetchMatmulTile(const MatmulParams& p, int64_t row, int64_t out) {
  for (int64_t i = 0; i < Min(S::kMatmulRows, p.rows - row); ++i) {
    const float* y = p.y + (row + i) * p.y_stride + out;
    __builtin_prefetch(y, 1, 3);
    __builtin_prefetch(y + Min(int64_t{S::kMatmulVectors} * S::kWidth, p.out - out) - 1, 1, 3);
  }
}

// The block of y at [row0, row1) x [out0, out1).
template <class S, class Dot, class Units>
inline void MatmulTask(const MatmulParams& p, int64_t row0, int64_t row1, int64_t out0,
                       int64_t out1, void* scratch) {
  using B = MatmulBlocks<S>;
  float* activations = static_cast<float*>(scratch);
  float* weights = activations + B::kRows * B::kRowStride;
  const int64_t block_values = BlockUnits<S>(CeilDiv(p.in, Units::kValues)) * Units::kValues;
  for (int64_t k = 0; k < p.in; k += block_values) {
    const int64_t values = Min(block_values, p.in - k);
    const int64_t units = CeilDiv(values, Units::kValues);
    for (int64_t out = out0; out < out1; out += B::kNr) {
      const void* w = ElementAt(p.w, p.w_type, out * p.in + k);
      PackWeightPanel<S, Units, B::kNr>(w, p.w_type, p.in, Min(B::kNr, out1 - out), units, values,
                                        weights + (out - out0) * B::kUnits);
    }
    for (int64_t block = row0; block < row1; block += B::kRows) {
      const int64_t rows = Min(B::kRows, row1 - block);
      PackActivations<S, Units>(p.x + block * p.x_stride + k, p.x_stride, rows, units, values,
                                activations, B::kRowStride);
      for (int64_t out = out0; out < out1; out += B::kNr) {
        // Rows past the last one of a partial tile hold an earlier block's numbers; their sums are
        // not stored.
        for (int64_t r = 0; r < rows; r += B::kMr) {
          PrefetchMatmulTile<S>(p, block + r, out);
          typename S::V acc[S::kMatmulRows][S::kMatmulVectors];
#pragma GCC unroll 16
          for (int i = 0; i < S::kMatmulRows; ++i) {
#pragma GCC unroll 8
            for (int j = 0; j < S::kMatmulVectors; ++j) acc[i][j] = S::Zero();
          }
          MultiplyTile<S, Dot, S::kMatmulRows, S::kMatmulVectors>(
              acc, activations + r * B::kRowStride, B::kRowStride, 1,
              weights + (out - out0) * B::kUnits, units);
          StoreMatmulTile<S>(acc, p, block + r, out, k == 0);
        }
      }
    }
  }
}

template <class S, class Dot, class Units>
inline void MatmulBlocked(ThreadPool& pool, const MatmulParams& p) {
  const MatmulTaskShape shape = ChooseMatmulTask<S>(p.rows, p.out, pool.threads());
  const int64_t row_tasks = CeilDiv(p.rows, shape.rows);
  const int64_t out_tasks = CeilDiv(p.out, shape.outs);
  pool.ParallelFor(row_tasks * out_tasks, [&](int64_t task, int thread) {
    const int64_t row = task % row_tasks * shape.rows;
    const int64_t out = task / row_tasks * shape.outs;
    MatmulTask<S, Dot, Units>(p, row, Min(p.rows, row + shape.rows), out,
                              Min(p.out, out + shape.outs), pool.Scratch(thread));
  });
}

}  // namespace longsight::cpu

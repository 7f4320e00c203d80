// How AttentionMass cuts up its keys. Plain C++.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace longsight::cuda {

// Keys of one span in one run, no more than a block sums.
struct MassPiece {
  int64_t first;  // token of the run
  int32_t run;
  int32_t count;
};
inline constexpr int64_t kMassPieceKeys = 1024;

// The keys [ends[i - 1], ends[i]) of all spans, cut where runs end, and into pieces that blocks can
// share out: so that sums do not depend on which block is first.
struct MassPieces {
  std::vector<MassPiece> pieces;       // by position
  std::vector<int32_t> first_of_span;  // [spans + 1]

  MassPieces() = default;
  // `ends` ascend, and so do `run_ends`: the positions where runs end, which hold the keys from
  // position 0 on. What lies behind them is in no piece.
  MassPieces(std::span<const int64_t> ends, std::span<const int64_t> run_ends);
};

}  // namespace longsight::cuda

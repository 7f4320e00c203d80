#include "cuda/mass_pieces.h"

#include <algorithm>

namespace longsight::cuda {

MassPieces::MassPieces(std::span<const int64_t> ends, std::span<const int64_t> run_ends) {
  size_t run = 0;
  int64_t position = 0, run_begin = 0;
  for (const int64_t end : ends) {
    first_of_span.push_back(static_cast<int32_t>(pieces.size()));
    while (position < end && run < run_ends.size()) {
      const int64_t count = std::min({end, run_ends[run], position + kMassPieceKeys}) - position;
      if (count <= 0) {
        run_begin = run_ends[run++];
        continue;
      }
      pieces.push_back(
          {position - run_begin, static_cast<int32_t>(run), static_cast<int32_t>(count)});
      position += count;
    }
  }
  first_of_span.push_back(static_cast<int32_t>(pieces.size()));
}

}  // namespace longsight::cuda

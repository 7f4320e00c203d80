// Block-sparse: for each row block the key blocks whose mean key agrees best with the row block's
// mean query. Chosen while the row block is attended, so that no list outlives it.
#pragma once

#include "pattern.h"

namespace longsight::index {

// Bits that order as the floats do.
static LONGSIGHT_HD inline uint32_t OrderedBits(float value) {
  const auto bits = __builtin_bit_cast(uint32_t, value);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

// Of `histogram` over 2^11 digits, the digit in which the `wanted`-th largest number lies; `wanted`
// becomes its rank within that digit.
static LONGSIGHT_HD inline uint32_t DigitOfRank(const int32_t* histogram, int64_t* wanted) {
  for (uint32_t digit = 2047; digit > 0; --digit) {
    if (*wanted <= histogram[digit]) return digit;
    *wanted -= histogram[digit];
  }
  return 0;
}

// The bits of the `wanted`-th largest of scores[n] (1 <= wanted <= n), by radix; *ties is how many
// of those with just these bits belong to the largest `wanted`. histogram: 2048 numbers of scratch.
static LONGSIGHT_HD inline uint32_t BitsOfRank(const float* scores, int64_t n, int64_t wanted,
                                               int32_t* histogram, int64_t* ties) {
  uint32_t prefix = 0, known = 0;
  for (int shift = 21; shift >= -1; shift -= 11) {
    // 11, 11 and 10 bits.
    const int low = shift < 0 ? 0 : shift;
    const uint32_t mask = shift < 0 ? 1023u : 2047u;
    for (int i = 0; i < 2048; ++i) histogram[i] = 0;
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t bits = OrderedBits(scores[i]);
      if ((bits & known) == prefix) ++histogram[(bits >> low) & mask];
    }
    prefix |= DigitOfRank(histogram, &wanted) << low;
    known |= mask << low;
  }
  *ties = wanted;
  return prefix;
}

// Key blocks of the row block [row_begin, row_end): those with the `blocks` highest of
// scores[DivideUp(row_end, kKeyBlock)], the first one and those that hold the rows themselves among
// them in any case. Written to keys (room for `blocks` + 1 + DivideUp(row_end - row_begin,
// kKeyBlock) ranges) as merged key ranges that end at row_end; returns their number.
static LONGSIGHT_HD inline int64_t SelectBlocks(const float* scores, int64_t row_begin,
                                                int64_t row_end, int64_t blocks, int32_t* histogram,
                                                Range* keys) {
  const int64_t own = row_begin / kKeyBlock;
  const int64_t all = DivideUp(row_end, kKeyBlock);
  // What is in by right takes its places; the scores decide over those between.
  const int64_t wanted = Within(blocks - (all - own) - 1, 0, Most(0, own - 1));
  int64_t ties = 0;
  uint32_t least = 0xffffffffu;
  if (wanted > 0) least = BitsOfRank(scores + 1, own - 1, wanted, histogram, &ties);
  int64_t count = 0;
  for (int64_t block = 0; block < all; ++block) {
    bool in = block == 0 || block >= own;
    if (!in && wanted > 0) {
      const uint32_t bits = OrderedBits(scores[block]);
      in = bits > least || (bits == least && --ties >= 0);
    }
    if (!in) continue;
    const Range range = {block * kKeyBlock, Least((block + 1) * kKeyBlock, row_end)};
    if (count > 0 && keys[count - 1].end == range.begin) {
      keys[count - 1].end = range.end;
    } else {
      keys[count++] = range;
    }
  }
  return count;
}

}  // namespace longsight::index

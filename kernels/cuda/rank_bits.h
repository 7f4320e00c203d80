// The number of a given rank among many, by the threads of a block together: index::BitsOfRank,
// with the same steps of 11, 11 and 10 bits.
#pragma once

#include "cuda/crew.h"
#include "index/blocks.h"

namespace longsight::cuda {

// Digits are summed in parts, and these in groups, the largest digits first.
inline constexpr int kDigits = 2048, kDigitsOfPart = 8, kPartsOfGroup = 16;
inline constexpr int kDigitParts = kDigits / kDigitsOfPart;
inline constexpr int kDigitGroups = kDigitParts / kPartsOfGroup;

// A digit's place: threads that sum a part each read from different banks.
static LONGSIGHT_HD inline int DigitPlace(int digit) { return digit + digit / kDigitsOfPart; }

// In shared memory.
struct RankScratch {
  int32_t histogram[kDigits + kDigitParts];
  int32_t parts[kDigitParts];
  int32_t groups[kDigitGroups];
  uint32_t digit;
  int32_t rank;
};

struct RankedBits {
  uint32_t bits;  // of index::OrderedBits
  int32_t ties;   // how many of those with just these bits are among the largest
};

static LONGSIGHT_HD inline int32_t SumOfCounts(const int32_t* counts, int n) {
  int32_t sum = 0;
  for (int i = 0; i < n; ++i) sum += counts[i];
  return sum;
}

// index::DigitOfRank of the histogram, for all threads to read in s.digit, and the rank within that
// digit in s.rank. Of as many numbers as `rank` at least.
template <class Crew>
static LONGSIGHT_HD inline void FindDigit(int32_t rank, RankScratch& s, const Crew& crew) {
  const auto highest = [](int part) { return kDigits - 1 - part * kDigitsOfPart; };
  for (int part = crew.thread; part < kDigitParts; part += crew.threads) {
    const int lowest = highest(part) - (kDigitsOfPart - 1);
    s.parts[part] = SumOfCounts(s.histogram + DigitPlace(lowest), kDigitsOfPart);
  }
  crew.Meet();
  for (int group = crew.thread; group < kDigitGroups; group += crew.threads) {
    s.groups[group] = SumOfCounts(s.parts + group * kPartsOfGroup, kPartsOfGroup);
  }
  crew.Meet();
  for (int part = crew.thread; part < kDigitParts; part += crew.threads) {
    const int group = part / kPartsOfGroup, in_group = part % kPartsOfGroup;
    int32_t left = rank - SumOfCounts(s.groups, group) -
                   SumOfCounts(s.parts + group * kPartsOfGroup, in_group);
    if (left < 1 || left > s.parts[part]) continue;
    int digit = highest(part);
    while (left > s.histogram[DigitPlace(digit)]) left -= s.histogram[DigitPlace(digit--)];
    s.digit = static_cast<uint32_t>(digit);
    s.rank = left;
  }
  crew.Meet();
}

// The bits of the `wanted`-th largest of scores[n] (1 <= wanted <= n), to all threads.
template <class Crew>
static LONGSIGHT_HD inline RankedBits FindBitsOfRank(const float* scores, int32_t n, int32_t wanted,
                                                     RankScratch& s, const Crew& crew) {
  RankedBits found = {0, wanted};
  uint32_t known = 0;
  for (int shift = 21; shift >= -1; shift -= 11) {
    const int low = shift < 0 ? 0 : shift;
    const uint32_t mask = shift < 0 ? kDigits / 2 - 1 : kDigits - 1;
    for (int i = crew.thread; i < kDigits + kDigitParts; i += crew.threads) s.histogram[i] = 0;
    crew.Meet();
    for (int32_t i = crew.thread; i < n; i += crew.threads) {
      const uint32_t bits = index::OrderedBits(scores[i]);
      if ((bits & known) != found.bits) continue;
      crew.Count(&s.histogram[DigitPlace(static_cast<int>((bits >> low) & mask))]);
    }
    crew.Meet();
    FindDigit(found.ties, s, crew);
    found = {found.bits | s.digit << low, s.rank};
    known |= mask << low;
  }
  return found;
}

}  // namespace longsight::cuda

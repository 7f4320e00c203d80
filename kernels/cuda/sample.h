// Drawing from logits that are in order: their weights, and sums of these in one fixed order. All
// of it but the sorting, for the threads of a block and, as one thread, for the host.
#pragma once

#include <math.h>

#include <cstdint>

#include "cuda/argmax.h"
#include "cuda/crew.h"

namespace longsight::cuda {

// The sum of the weights up to one of them is the tiles before its own + (the groups before its own
// in the tile + those of its group), each from the first on. It never falls from one to the next,
// however it is rounded, and a thread finds where it reaches something in a few hundred additions.
inline constexpr int kSampleGroup = 32;
inline constexpr int kSampleGroups = 32;
inline constexpr int kSampleTile = kSampleGroup * kSampleGroups;
inline constexpr int64_t kSampleTiles = 1024;

// What may be drawn.
struct SampleList {
  const uint64_t* keys;  // [count] of ArgmaxKey, the largest first
  int64_t count;
  double temperature;
};

// Of a running sum: the first place where it is at least `sum`, or above it.
struct SampleGoal {
  double sum;
  bool above;
};

struct SamplePlace {
  int64_t at;
  double before;  // the sum of what comes before
};

// In shared memory.
struct SampleScratch {
  double tiles[kSampleTiles];
  // One more to a group, so that threads that sum a group each read from different banks.
  double weights[kSampleGroups][kSampleGroup + 1];
  double groups[kSampleGroups];
  SamplePlace tile;
  struct {
    int64_t at;
    double sum;  // up to it, itself included
  } found;
};

static LONGSIGHT_HD inline int64_t SampleTileCount(int64_t count) {
  return index::DivideUp(count, kSampleTile);
}

// Relative to the largest, so that none overflows; 0 behind the list.
static LONGSIGHT_HD inline double SampleWeight(const SampleList& list, int64_t i) {
  if (i >= list.count) return 0;
  const double distance =
      static_cast<double>(ArgmaxLogit(list.keys[i])) - ArgmaxLogit(list.keys[0]);
  return exp(distance / list.temperature);
}

static LONGSIGHT_HD inline double SampleSum(const double* terms, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += terms[i];
  return sum;
}

// Weights and groups of a tile, for all threads to read.
template <class Crew>
static LONGSIGHT_HD inline void FillSampleTile(const SampleList& list, int64_t tile,
                                               SampleScratch& scratch, const Crew& crew) {
  for (int i = crew.thread; i < kSampleTile; i += crew.threads) {
    scratch.weights[i / kSampleGroup][i % kSampleGroup] =
        SampleWeight(list, tile * kSampleTile + i);
  }
  crew.Meet();
  for (int group = crew.thread; group < kSampleGroups; group += crew.threads) {
    scratch.groups[group] = SampleSum(scratch.weights[group], kSampleGroup);
  }
  crew.Meet();
}

// Where outer + (inner + the sum of the terms so far) reaches the goal; the last where none does.
static LONGSIGHT_HD inline SamplePlace ReachGoal(const double* terms, int64_t n, double outer,
                                                 double inner, SampleGoal goal) {
  double before = 0;
  for (int64_t i = 0; i + 1 < n; ++i) {
    const double next = before + terms[i], sum = outer + (inner + next);
    if (goal.above ? sum > goal.sum : sum >= goal.sum) return {i, before};
    before = next;
  }
  return {n - 1, before};
}

// Where the sum of the weights reaches thread 0's goal, in scratch.found for all threads to read;
// looks into the first `tiles` of scratch.tiles.
template <class Crew>
static LONGSIGHT_HD inline void FindSample(const SampleList& list, int64_t tiles, SampleGoal goal,
                                           SampleScratch& scratch, const Crew& crew) {
  if (crew.thread == 0) scratch.tile = ReachGoal(scratch.tiles, tiles, 0, 0, goal);
  crew.Meet();
  const SamplePlace tile = scratch.tile;
  FillSampleTile(list, tile.at, scratch, crew);
  if (crew.thread == 0) {
    const SamplePlace group = ReachGoal(scratch.groups, kSampleGroups, tile.before, 0, goal);
    const double* const weights = scratch.weights[group.at];
    const SamplePlace one = ReachGoal(weights, kSampleGroup, tile.before, group.before, goal);
    const int64_t at = tile.at * kSampleTile + group.at * kSampleGroup + one.at;
    scratch.found = {at, tile.before + (group.before + (one.before + weights[one.at]))};
  }
  crew.Meet();
}

// The sum of a tile's weights, to thread 0.
template <class Crew>
static LONGSIGHT_HD inline double SumSampleTile(const SampleList& list, int64_t tile,
                                                SampleScratch& scratch, const Crew& crew) {
  FillSampleTile(list, tile, scratch, crew);
  return crew.thread == 0 ? SampleSum(scratch.groups, kSampleGroups) : 0;
}

// The key that is drawn, to all threads, of what SumSampleTile gave for each tile.
template <class Crew>
static LONGSIGHT_HD inline uint64_t DrawSample(const SampleList& list, const double* tile_sums,
                                               double top_p, double uniform, SampleScratch& scratch,
                                               const Crew& crew) {
  // NaN is the largest, too.
  const float largest = ArgmaxLogit(list.keys[0]);
  if (!(largest - largest == 0.0f)) return list.keys[0];
  const int64_t tiles = SampleTileCount(list.count);
  for (int64_t i = crew.thread; i < tiles; i += crew.threads) scratch.tiles[i] = tile_sums[i];
  crew.Meet();
  const double total = crew.thread == 0 ? SampleSum(scratch.tiles, tiles) : 0;
  FindSample(list, tiles, {top_p * total, false}, scratch, crew);
  const auto kept = scratch.found;
  // Below kept.sum, however it is rounded: what is found is kept.
  FindSample(list, kept.at / kSampleTile + 1, {uniform * kept.sum, true}, scratch, crew);
  return list.keys[scratch.found.at];
}

}  // namespace longsight::cuda

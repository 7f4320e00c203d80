// How many keys lines may cover, and the search for what must be counted (LineBudget::keys) for
// them to cover that: what one line covers of another's is counted twice.
#pragma once

#include "select.h"

namespace longsight::index {

// In keys per row block at the chunk's end.
struct AreaBudget {
  // 0: FirstBudget.
  int64_t keys = 0;
  // More lines than that are counted for, until the budget is covered: so heads are compared at
  // equal cost.
  bool fill = false;
};

static LONGSIGHT_HD inline int64_t KeysOf(const AreaBudget& area, int64_t tokens) {
  return area.keys > 0 ? area.keys : FirstBudget(tokens);
}

// Filling ends this close to the budget, or after so many attempts more than the first.
inline constexpr double kFilled = 0.98;
inline constexpr int kFillAttempts = 6;

struct Fill {
  int64_t wanted;  // keys to be covered
  int64_t tokens;  // no more is ever counted
  // What lines are to be taken for.
  int64_t counted;
  // What was counted for the most keys within the budget, so far.
  int64_t best;
  int attempts;
  bool settled;
  // Counted and covered: by the most that covers too little, and the least that covers too much (0:
  // none yet).
  double low, low_keys, high, high_keys;
};

// Of KeysOf(area, tokens), or of what a recall guard has made of them.
static LONGSIGHT_HD inline Fill StartFill(const AreaBudget& area, int64_t keys, int64_t tokens) {
  return {keys, tokens, keys, keys, 0, !area.fill, 0, 0, 0, 0};
}

// `covered`: keys of the lines that were taken for what is `counted`. False when they are the ones;
// else lines are to be taken for what is `counted` now.
static LONGSIGHT_HD inline bool ContinueFill(Fill& fill, int64_t covered) {
  if (fill.settled) return false;
  const auto wanted = static_cast<double>(fill.wanted), keys = static_cast<double>(covered);
  // What is counted bounds what is covered, but for what is always in: the first attempt is never
  // too much.
  const bool first = fill.attempts == 0;
  if (!first && keys > wanted * (2 - kFilled)) {
    fill.high = static_cast<double>(fill.counted);
    fill.high_keys = keys;
  } else {
    fill.settled = !first && (keys <= fill.low_keys || fill.counted == fill.tokens);
    fill.low = static_cast<double>(fill.counted);
    fill.low_keys = keys;
    fill.best = fill.counted;
  }
  if (fill.low_keys >= kFilled * wanted || fill.attempts == kFillAttempts) fill.settled = true;
  if (fill.settled) {
    const bool taken = fill.best == fill.counted;
    fill.counted = fill.best;
    return !taken;
  }
  ++fill.attempts;
  double next;
  if (fill.high > 0) {
    // Divided last: a product would be fused with the sum on one device and not on another.
    next = fill.low +
           (fill.high - fill.low) * (wanted - fill.low_keys) / (fill.high_keys - fill.low_keys);
  } else {
    const double factor = wanted / fill.low_keys;
    next = fill.low * (factor < 2 ? factor : 2);
  }
  fill.counted = Least(static_cast<int64_t>(next), fill.tokens);
  return true;
}

}  // namespace longsight::index

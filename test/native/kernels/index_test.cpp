// The sparse index against lists of single keys, and past every 32-bit cliff without running any
// attention.
#include <algorithm>
#include <functional>
#include <set>

#include "check.h"
#include "index/blocks.h"
#include "index/fill.h"

namespace longsight::test {
namespace {

using index::Lines;
using index::Range;

struct RandomLines {
  std::vector<Range> bands, columns;
  Lines lines() const {
    return {bands.data(), static_cast<int64_t>(bands.size()), columns.data(),
            static_cast<int64_t>(columns.size())};
  }
};

// Ascending ranges below `limit` that neither overlap nor touch.
std::vector<Range> Ranges(Random& random, int64_t limit, int64_t count, int64_t longest) {
  std::vector<Range> ranges;
  int64_t at = random.Integer(0, 3);
  for (int64_t i = 0; i < count && at < limit; ++i) {
    const int64_t end = at + random.Integer(1, longest);
    ranges.push_back({at, end});
    at = end + random.Integer(1, 1 + 2 * limit / (count + 1));
  }
  return ranges;
}

// Each key by itself, as the definition says.
std::set<int64_t> ByDefinition(const RandomLines& l, int64_t row_begin, int64_t row_end,
                               bool columns_too) {
  std::set<int64_t> keys;
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (const Range& band : l.bands) {
      for (int64_t offset = band.begin; offset < band.end; ++offset) {
        // Whatever the block's first row reaches, the others get too, and the other way round.
        if (row - offset >= 0) keys.insert(row - offset);
      }
    }
  }
  if (!columns_too) return keys;
  for (const Range& run : l.columns) {
    for (int64_t key = run.begin; key < run.end; ++key) {
      if (key < row_begin) keys.insert(key);
    }
  }
  return keys;
}

// Ascending, apart from each other, not empty; as single keys.
template <class Next>
std::set<int64_t> Walked(Next next, bool apart, const std::string& what) {
  std::set<int64_t> keys;
  int64_t end = -1;
  for (Range run; next(&run);) {
    Check(run.begin < run.end, what + ": an empty run");
    Check(apart ? run.begin > end : run.begin >= end, what + ": runs overlap, touch or descend");
    end = run.end;
    for (int64_t key = run.begin; key < run.end; ++key) keys.insert(key);
  }
  return keys;
}

void TestCover(Random& random) {
  for (int i = 0; i < 3000; ++i) {
    const int64_t row_begin = random.Integer(0, 300);
    const int64_t row_end = row_begin + random.Integer(1, 70);
    RandomLines l;
    l.bands = Ranges(random, 400, random.Integer(0, 12), random.Integer(1, 30));
    l.columns = Ranges(random, 350, random.Integer(0, 25), random.Integer(1, 9));
    const std::string what = "cover of rows " + std::to_string(row_begin) + " to " +
                             std::to_string(row_end) + ", case " + std::to_string(i);
    const Lines lines = l.lines();
    index::BandWalk bands = index::StartBands(lines, row_begin, row_end);
    const std::set<int64_t> ranges =
        Walked([&](Range* run) { return index::NextRange(bands, run); }, true, what + ", ranges");
    Check(ranges == ByDefinition(l, row_begin, row_end, false), what + ": ranges");

    const std::set<int64_t> all = ByDefinition(l, row_begin, row_end, true);
    index::LooseWalk loose = index::StartLoose(lines, row_begin, row_end);
    std::set<int64_t> both =
        Walked([&](Range* run) { return index::NextLoose(loose, run); }, false, what + ", loose");
    for (const int64_t key : both) Check(ranges.count(key) == 0, what + ": a column twice");
    for (const int64_t key : both) Check(key < row_begin, what + ": a column not to the left");
    both.insert(ranges.begin(), ranges.end());
    Check(both == all, what + ": ranges and loose columns");

    index::CoverWalk cover = index::StartCover(lines, row_begin, row_end);
    Check(Walked([&](Range* run) { return index::NextCovered(cover, run); }, true, what) == all,
          what + ": together");
    Check(index::CoveredKeys(lines, row_begin, row_end) == static_cast<int64_t>(all.size()),
          what + ": number of keys");
    std::vector<float> sums(500);
    double expected = 0;
    for (size_t key = 0; key < sums.size(); ++key) sums[key] = static_cast<float>(key % 7);
    for (const int64_t key : all) expected += static_cast<double>(key % 7);
    Check(index::Recall(lines, row_begin, row_end, sums.data(), 4) == expected / 4,
          what + ": recall");
  }
}

// A million tokens: positions, areas and counts whose 32-bit products would wrap.
void TestMillion() {
  const int64_t tokens = 1048577, rows = 64;
  std::vector<Range> bands = {{0, 100}}, columns = {{0, 30}};
  for (int64_t i = 0; i < 6000; ++i) bands.push_back({200 + 160 * i, 216 + 160 * i});
  for (int64_t i = 0; i < 1000; ++i) columns.push_back({40 + 1000 * i, 41 + 1000 * i});
  const Lines lines = {bands.data(), static_cast<int64_t>(bands.size()), columns.data(),
                       static_cast<int64_t>(columns.size())};
  // The last, partial row block: one row, whose bands do not widen.
  int64_t expected = 100;
  for (const Range& band : bands) expected += band.begin > 0 && band.begin < tokens ? 16 : 0;
  int64_t loose = 30;
  const int64_t row = tokens - 1;
  for (size_t i = 1; i < columns.size(); ++i) {
    const int64_t offset = row - columns[i].begin;
    const bool in_band = offset >= 200 && (offset - 200) % 160 < 16 && (offset - 200) / 160 < 6000;
    loose += !in_band && offset >= 100 ? 1 : 0;
  }
  Check(index::CoveredKeys(lines, row, tokens) == expected + loose, "a million: covered keys");
  const double area = index::CoveredArea(lines, 0, tokens, rows, tokens);
  Check(area > 4294967296.0 && area < index::CausalArea(0, tokens), "a million: area");
  Check(index::CausalArea(0, tokens) == 1048577.0 * 1048578.0 / 2, "a million: causal area");
  const double sampled = index::CoveredArea(lines, 0, tokens, rows, 200);
  Check(std::fabs(sampled / area - 1) < 0.02, "a million: sampled area");
  // All row blocks of 32 heads: above 2^31 single columns, and still a walk of ranges.
  const double lists = 32.0 * static_cast<double>(index::DivideUp(tokens, rows)) * 6096.0;
  Check(lists > 2147483648.0, "a million: what flat lists would hold");
  // Positions past 2^32.
  const int64_t far = int64_t{1} << 33;
  index::CoverWalk walk = index::StartCover(lines, far, far + rows);
  int64_t last_end = 0;
  for (Range run; index::NextCovered(walk, &run);) last_end = run.end;
  Check(last_end == far + rows, "past 2^32: the cover ends at the diagonal");
}

struct Chosen {
  std::vector<Range> bands, columns;
  bool fits;
};

Chosen Choose(const std::vector<float>& columns, const std::vector<float>& bands,
              int64_t probe_begin, const index::LineBudget& budget) {
  std::vector<int32_t> column_bins(index::kDensityBins), band_bins(index::kDensityBins);
  const int64_t limit = index::ColumnLimit(probe_begin);
  for (int64_t key = index::kFirstColumns; key < limit; ++key) {
    ++column_bins[static_cast<size_t>(index::DensityBin(columns[static_cast<size_t>(key)]))];
  }
  const auto band_count = static_cast<int64_t>(bands.size());
  for (int64_t band = index::kFirstBand; band < band_count; ++band) {
    const float density = index::BandDensity(bands[static_cast<size_t>(band)], budget.block_rows);
    ++band_bins[static_cast<size_t>(index::DensityBin(density))];
  }
  const index::LineCut cut = index::CutAtBudget(column_bins.data(), band_bins.data(), budget);
  Chosen chosen{std::vector<Range>(4096), std::vector<Range>(4096), true};
  const int64_t in_bin =
      cut.columns.bin < index::kDensityBins ? column_bins[static_cast<size_t>(cut.columns.bin)] : 0;
  const int64_t c = index::CollectColumns(columns.data(), limit, cut.columns, in_bin,
                                          chosen.columns.data(), 4096);
  const int64_t b = index::CollectBands(bands.data(), band_count, cut.bands, budget.block_rows,
                                        chosen.bands.data(), 4096);
  chosen.columns.resize(static_cast<size_t>(std::max<int64_t>(0, c)));
  chosen.bands.resize(static_cast<size_t>(std::max<int64_t>(0, b)));
  chosen.fits = c >= 0 && b >= 0;
  return chosen;
}

int64_t Total(const std::vector<Range>& ranges) {
  int64_t total = 0;
  for (const Range& range : ranges) total += range.end - range.begin;
  return total;
}

void TestSelection(Random& random) {
  for (int i = 0; i < 200; ++i) {
    const int64_t tokens = random.Integer(1, 6000), probe_begin = std::max<int64_t>(0, tokens - 64);
    std::vector<float> columns = random.Floats(tokens, 0.5f);
    std::vector<float> bands = random.Floats(index::DivideUp(tokens, index::kBandOffsets), 2.0f);
    for (float& x : columns) x = std::fabs(x * x * x);
    for (float& x : bands) x = std::fabs(x * x * x);
    index::LineBudget budget{random.Integer(0, 3000), random.Integer(0, 2000),
                             random.Integer(0, 3000), random.Integer(1, 128)};
    const Chosen chosen = Choose(columns, bands, probe_begin, budget);
    const std::string what = "selection " + std::to_string(i);
    Check(chosen.fits, what + ": does not fit");
    Check(Total(chosen.columns) <= index::kFirstColumns + budget.columns, what + ": columns");
    Check(Total(chosen.bands) <= index::kNearestOffsets + budget.offsets, what + ": offsets");
    const Lines lines = {chosen.bands.data(), static_cast<int64_t>(chosen.bands.size()),
                         chosen.columns.data(), static_cast<int64_t>(chosen.columns.size())};
    const int64_t row_begin = std::max<int64_t>(0, tokens - budget.block_rows);
    Check(index::CoveredKeys(lines, row_begin, tokens) <=
              std::max(budget.keys, index::AlwaysCovered(budget.block_rows)),
          what + ": more keys than the budget");
    Check(chosen.bands[0].begin == 0 && chosen.bands[0].end >= index::kNearestOffsets,
          what + ": nearest offsets");
    Check(chosen.columns[0].begin == 0 && chosen.columns[0].end >= index::kFirstColumns,
          what + ": first columns");
  }
  // With room for ten columns and no band: the ten heaviest, wherever they lie.
  std::vector<float> columns(5000, 0.001f), bands(313, 0.001f);
  for (int64_t i = 0; i < 10; ++i) columns[static_cast<size_t>(100 + 397 * i)] = 1.0f;
  const Chosen ten = Choose(columns, bands, 4936, {index::AlwaysCovered(64) + 10, 1000, 1000, 64});
  Check(ten.columns.size() == 11 && Total(ten.columns) == 40, "ten columns: number");
  for (size_t i = 0; i < 10 && i + 1 < ten.columns.size(); ++i) {
    Check(ten.columns[i + 1].begin == 100 + 397 * static_cast<int64_t>(i), "ten columns: place");
  }
  // A heavy band wins over thin columns.
  bands[200] = 30.0f;
  const Chosen band = Choose(columns, bands, 4936, {index::AlwaysCovered(64) + 79, 0, 1000, 64});
  Check(band.bands.size() == 2 && band.bands[1].begin == 3200 && band.bands[1].end == 3216,
        "a heavy band");
}

// `cover(counted)`: keys that the lines for it cover. Tells what was settled on and how often lines
// were taken.
struct Filled {
  int64_t counted, covered, taken, most_within;
};
Filled FillWith(const index::AreaBudget& area, int64_t tokens,
                const std::function<int64_t(int64_t)>& cover) {
  const int64_t wanted = index::KeysOf(area, tokens);
  index::Fill fill = index::StartFill(area, wanted, tokens);
  Filled filled{0, 0, 0, 0};
  do {
    filled.counted = fill.counted;
    filled.covered = cover(fill.counted);
    // What overshoots by up to 2 % counts as the budget.
    if (static_cast<double>(filled.covered) <= 1.02 * static_cast<double>(wanted)) {
      filled.most_within = std::max(filled.most_within, filled.covered);
    }
  } while (++filled.taken < 100 && index::ContinueFill(fill, filled.covered));
  return filled;
}

void TestFill(Random& random) {
  Check(index::KeysOf({}, 100'000) == index::FirstBudget(100'000), "fill: the default budget");
  Check(index::KeysOf({77, true}, 100'000) == 77, "fill: a budget that is given");
  const Filled once = FillWith({4096, false}, 65536, [](int64_t keys) { return keys / 9; });
  Check(once.taken == 1 && once.counted == 4096, "fill: not asked for");
  // Lines whose cover grows with what is counted, but more and more slowly.
  for (const double power : {1.0, 0.9, 0.8}) {
    for (const double share : {1.0, 0.7, 0.3, 0.1}) {
      const int64_t wanted = 4096;
      const auto cover = [&](int64_t counted) {
        return std::min(counted,
                        static_cast<int64_t>(share * 4096 *
                                             std::pow(static_cast<double>(counted) / 4096, power)));
      };
      const Filled filled = FillWith({wanted, true}, 1'000'000, cover);
      const std::string what = "fill: power " + std::to_string(power) + " share " +
                               std::to_string(share) + ", " + std::to_string(filled.covered);
      Check(filled.covered > 0.98 * 4096 - 2 && filled.covered < 1.02 * 4096 + 2, what);
    }
  }
  // No more than there is.
  const Filled all = FillWith({4096, true}, 20'000, [](int64_t keys) { return keys / 8; });
  Check(all.counted == 20'000 && all.covered == 2'500, "fill: up to the context");
  const Filled stuck = FillWith({4096, true}, 1'000'000, [](int64_t) { return 1000; });
  Check(stuck.covered == 1000 && stuck.taken == 2, "fill: nothing more to cover");
  // A step over the budget: what lies before it, taken once more.
  const Filled step =
      FillWith({4096, true}, 1'000'000, [](int64_t keys) { return keys < 9'000 ? 2'000 : 50'000; });
  Check(step.counted < 9'000 && step.covered == 2'000, "fill: before a step");
  // Whatever the steps are like.
  for (int i = 0; i < 2000; ++i) {
    const int64_t tokens = random.Integer(200, 100'000), wanted = random.Integer(100, tokens);
    std::vector<std::pair<int64_t, int64_t>> steps = {{0, random.Integer(1, wanted)}};
    while (random.Integer(0, 12) != 0) {
      steps.push_back({steps.back().first + random.Integer(1, tokens / 4),
                       steps.back().second + random.Integer(0, wanted / 2)});
    }
    const Filled filled = FillWith({wanted, true}, tokens, [&](int64_t counted) {
      int64_t covered = 0;
      for (const auto& [from, keys] : steps) covered = counted >= from ? keys : covered;
      // Before the search begins, no more than is counted.
      return counted <= wanted ? std::min(covered, counted) : covered;
    });
    const std::string what = "fill: steps " + std::to_string(i);
    Check(filled.taken <= index::kFillAttempts + 2, what + ": attempts");
    Check(filled.covered == filled.most_within, what + ": the most within the budget");
    Check(filled.counted <= tokens, what + ": no more than there is");
  }
}

void TestExplained() {
  // One column that 64 rows at 4000 attend to evenly: 64 offsets of 1/64 each, gone afterwards.
  const int64_t probe_begin = 4000, rows = 64;
  std::vector<float> columns(4064, 0.0f), bands(255, 0.0f);
  columns[1003] = 64.0f;
  for (int64_t r = 0; r < rows; ++r) {
    bands[static_cast<size_t>((probe_begin + r - 1003) / index::kBandOffsets)] += 1.0f;
  }
  bands[20] = 5.0f;
  index::ExplainBands(columns.data(), index::ColumnLimit(probe_begin), index::DensityBin(1.0f),
                      probe_begin, rows, bands.data());
  for (size_t band = 0; band < bands.size(); ++band) {
    Check(bands[band] == (band == 20 ? 5.0f : 0.0f), "explained bands");
  }
}

void TestBlocks(Random& random) {
  std::vector<int32_t> histogram(2048);
  for (int i = 0; i < 500; ++i) {
    const int64_t row_begin = random.Integer(0, 5000);
    const int64_t row_end = row_begin + random.Integer(1, 130);
    const int64_t all = index::DivideUp(row_end, index::kKeyBlock);
    const int64_t wanted = random.Integer(0, 90);
    std::vector<float> scores = random.Floats(all, 3.0f);
    // Equal scores: as many as fit are taken, and no more.
    if (i % 3 == 0) {
      for (float& score : scores) score = std::round(score);
    }
    const int64_t own = row_begin / index::kKeyBlock;
    std::vector<Range> keys(static_cast<size_t>(wanted + 1 + all - own + 1));
    const int64_t count = index::SelectBlocks(scores.data(), row_begin, row_end, wanted,
                                              histogram.data(), keys.data());
    keys.resize(static_cast<size_t>(count));
    const std::string what = "blocks " + std::to_string(i);
    std::vector<bool> in(static_cast<size_t>(all));
    for (const Range& range : keys) {
      Check(range.begin % index::kKeyBlock == 0, what + ": alignment");
      Check(range.end % index::kKeyBlock == 0 || range.end == row_end, what + ": end");
      for (int64_t k = range.begin; k < range.end; ++k) in[static_cast<size_t>(k / 64)] = true;
    }
    Check(in[0], what + ": the first block");
    for (int64_t b = own; b < all; ++b) Check(in[static_cast<size_t>(b)], what + ": own blocks");
    const auto taken = static_cast<int64_t>(std::count(in.begin(), in.end(), true));
    const int64_t forced = all - own + (own > 0 ? 1 : 0);
    Check(taken == std::min(all, std::max(wanted, forced)), what + ": number");
    float worst_in = 1e9f, best_out = -1e9f;
    for (int64_t b = 1; b < own; ++b) {
      float& bound = in[static_cast<size_t>(b)] ? worst_in : best_out;
      const float score = scores[static_cast<size_t>(b)];
      bound = in[static_cast<size_t>(b)] ? std::min(bound, score) : std::max(bound, score);
    }
    Check(worst_in >= best_out, what + ": a better block was left out");
  }
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::Random random;
  longsight::test::TestCover(random);
  longsight::test::TestMillion();
  longsight::test::TestSelection(random);
  longsight::test::TestFill(random);
  longsight::test::TestExplained();
  longsight::test::TestBlocks(random);
  return longsight::test::Result("index_test");
}

// The search for head patterns: on heads whose attention was planted, and what the engine tells of
// a text.
#include "engine/pattern_search.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "check.h"
#include "engine/engine.h"
#include "engine/line_choice.h"
#include "model_folder.h"
#include "planted_heads.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};

// Neighbouring bands overlap in what they cover: counted one by one they leave a budget half spent.
void BudgetsAreFilled() {
  const int64_t tokens = 65536, rows = 2048, keys = 4096;
  std::vector<float> columns(static_cast<size_t>(tokens), 1e-6f);
  std::vector<float> bands(static_cast<size_t>(tokens / index::kBandOffsets + 1), 1e-3f);
  for (size_t band = 1000; band < 2000; ++band)
    bands[band] = 1.0f - 1e-4f * static_cast<float>(band);
  const ChunkRows chunk = {tokens - rows, rows, 96};
  const auto choose = [&](const index::AreaBudget& area) {
    std::vector<float> spent = bands;
    const ProbeSums probe = {columns.data(), spent.data(), tokens, 64};
    return ChooseLines(index::kDefaultPattern, chunk, probe, 0, area).pairs /
           static_cast<double>(rows);
  };
  CHECK(choose({keys, false}) < 0.5 * keys);
  const double filled = choose({keys, true});
  CHECK_WITH(filled > 0.9 * keys && filled < 1.03 * keys, std::to_string(filled));
  // The default, at this length.
  CHECK(choose({}) == choose({tokens / 16, false}));
}

void EngineTriesPatterns() {
  const TemporaryFolder folder;
  WriteLlama(folder, SmallConfig(3));
  const std::unique_ptr<Engine> engine =
      Engine::Load(folder.path(), {.threads = 2, .precision = Precision::kF32});
  std::vector<uint32_t> tokens;
  for (uint32_t i = 0; i < 2000; ++i) tokens.push_back((i * i * 37 + i) % 200);
  const auto candidate = [](const std::string& pattern) {
    const std::string layer = OneLayer(pattern, 4);
    return HeadPatterns::Parse("test", "[" + layer + "," + layer + "," + layer + "]", 3, 4);
  };
  PatternTrial trial;
  trial.candidates = {candidate(R"(["stream_llm", 4000, 1, 1])"),
                      candidate(R"(["stream_llm", 10, 100, 1])")};
  trial.budget_keys = 500;
  trial.sampled_chunks = 2;
  trial.repeats = 2;
  std::vector<int64_t> told;
  const auto run = [&](const std::atomic<bool>& cancel) {
    return engine->TryPatterns(tokens, 300, trial, cancel,
                               [&](int64_t processed) { told.push_back(processed); });
  };
  const PatternScores scores = run(kNever);
  // 7 chunks; of the last layer's attention nobody keeps anything.
  CHECK(scores.layers == std::vector<int64_t>({0, 1}) && scores.chunks == 2);
  CHECK(told.back() == 2000 && std::ranges::is_sorted(told));
  CHECK(engine->kv_bytes() == 0);
  const auto& [all, few] = std::tie(scores.candidates[0], scores.candidates[1]);
  CHECK(all.heads.size() == 2 * 4 && few.heads.size() == 2 * 4);
  for (size_t i = 0; i < all.heads.size(); ++i) {
    CHECK(all.heads[i].error < 1e-4 && all.heads[i].recall == 1);
    CHECK(few.heads[i].error > 0.05 && few.heads[i].recall < 0.9);
    CHECK(few.heads[i].keys > 110 && few.heads[i].keys < 210);
  }
  CHECK(few.attention_ms > 0 && few.index_ms > 0);

  const std::atomic<bool> cancelled{true};
  CHECK_ERROR(ErrorCode::kCancelled, "cancelled", [&] { run(cancelled); });
  trial.budget_keys = 0;
  CHECK_ERROR(ErrorCode::kInvalidArgument, "budgetKeys", [&] { run(kNever); });
}

}  // namespace
}  // namespace longsight::test

int main() {
  // cpu::kSparseRows.
  longsight::test::CheckPlantedHeads(*longsight::MakeCpuBackend(2, true), 96);
  longsight::test::BudgetsAreFilled();
  longsight::test::EngineTriesPatterns();
  return longsight::test::Finish("pattern_search_test");
}

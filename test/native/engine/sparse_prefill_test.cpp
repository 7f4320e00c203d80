// Sparse prefill through the engine: pattern files, the guard, what is reported, and that keeping
// every key is the dense prefill.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "check.h"
#include "engine/engine.h"
#include "engine/head_patterns.h"
#include "engine/line_choice.h"
#include "index/area.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};
const ForwardProgress kSilent = [](int64_t) {};
constexpr int64_t kTokens = 3000;

const reference::Config kConfig = SmallConfig(3);

class SparsePrefillTest {
 public:
  SparsePrefillTest() {
    WriteLlama(folder_, kConfig);
    engine_ = Engine::Load(folder_.path(), {.threads = 2, .precision = Precision::kF32});
    for (uint32_t i = 0; i < kTokens; ++i) tokens_.push_back((i * i * 37 + i) % 200);
  }

  void ReadsPatternFiles() {
    // The published form, in which heads may be missing.
    const HeadPatterns patterns = Read(
        R"([{"0": ["vertical_and_slash", 1000, 4096, 336529], "3": ["stream_llm", 100, 800, 0.9]},
            {"1": ["block_sparse", 100, 0, 1]}, {}])");
    CHECK(patterns.layer(0)[0].kind == index::PatternKind::kVerticalSlash);
    CHECK(patterns.layer(0)[0].a == 1000 && patterns.layer(0)[0].b == 4096);
    CHECK(patterns.layer(0)[3].kind == index::PatternKind::kAShape);
    CHECK(patterns.layer(1)[1].kind == index::PatternKind::kBlockSparse);
    for (const index::HeadPattern& missing : {patterns.layer(0)[1], patterns.layer(2)[3]}) {
      CHECK(missing.kind == index::PatternKind::kVerticalSlash);
      CHECK(missing.a == 1000 && missing.b == 6096);
      CHECK(missing.recall_floor == 0.95);
    }
    // The fifth element is ours.
    const HeadPatterns own =
        Read(R"([{"0": ["stream_llm", 4, 64, 1, 0.25], "1": ["stream_llm", 4, 64, 1]}, {}, {}])");
    CHECK(own.layer(0)[0].recall_floor == 0.25 && own.layer(0)[1].recall_floor == 0.95);
  }

  void RefusesWrongFiles() {
    const auto refused = [&](const std::string& message, const std::string& text) {
      CHECK_ERROR(ErrorCode::kInvalidArgument, message, [&] { Read(text); });
    };
    refused("at byte", "[");
    refused("must be a list of layers, not an object", "{}");
    refused("is for a model of 2 layers; this one has 3", "[{}, {}]");
    refused("layer 1 must be an object", "[{}, 4, {}]");
    refused("heads 0 to 3", R"([{}, {"4": ["stream_llm", 1, 1, 1]}, {}])");
    refused("layer 2, head \"x\"", R"([{}, {}, {"x": ["stream_llm", 1, 1, 1]}])");
    refused("layer 0, head \"00\"",
            R"([{"0": ["stream_llm", 1, 1, 1], "00": ["stream_llm", 1, 1, 1]}, {}, {}])");
    refused("layer 0, head \"-1\"", R"([{"-1": ["stream_llm", 1, 1, 1]}, {}, {}])");
    refused("at byte", R"([{"0": ["stream_llm", 1, 1, 1], "0": ["stream_llm", 2, 2, 1]}, {}, {}])");
    refused("[pattern, a, b, score]", R"([{"0": ["stream_llm", 1, 1, 1, 1, 1]}, {}, {}])");
    refused("not an array", R"([{"0": [["stream_llm"], 1, 1, 1]}, {}, {}])");
    refused("a must be a whole number", R"([{"0": ["stream_llm", 1e12, 1, 1]}, {}, {}])");
    refused("a must be a whole number", R"([{"0": ["stream_llm", 5000000000, 1, 1]}, {}, {}])");
    refused("b must be a whole number", R"([{"0": ["stream_llm", 1, "1", 1]}, {}, {}])");
    refused("[pattern, a, b, score]", R"([{"0": ["stream_llm"]}, {}, {}])");
    refused("not \"dense\"", R"([{"0": ["dense", 1, 1, 1]}, {}, {}])");
    refused("not a number", R"([{"0": [1, 1, 1, 1]}, {}, {}])");
    refused("a must be a whole number", R"([{"0": ["stream_llm", -1, 1, 1]}, {}, {}])");
    refused("b must be a whole number", R"([{"0": ["stream_llm", 1, 1.5, 1]}, {}, {}])");
    refused("recall floor must be", R"([{"0": ["stream_llm", 1, 1, 1, 2]}, {}, {}])");
    refused("recall floor must be", R"([{"0": ["stream_llm", 1, 1, 1, "x"]}, {}, {}])");
    refused("at least one block", R"([{"0": ["block_sparse", 0, 0, 1]}, {}, {}])");
    CHECK_ERROR(ErrorCode::kInvalidArgument, "none.json",
                [&] { HeadPatterns::Read(folder_.File("none.json"), 3, 4); });
  }

  // Every pattern with room for all keys, in chunks that begin anywhere, in one segment and in two.
  void KeepingAllIsDense() {
    const std::vector<float> expected = Logits(Prefill(tokens_, 3000, {}).kv);
    for (const char* pattern : {R"(["stream_llm", 0, 4000, 1])", R"(["stream_llm", 4000, 1, 1])",
                                R"(["block_sparse", 100, 0, 1])"}) {
      for (const int64_t chunk : {3000, 1111, 97}) {
        const PrefillResult result = Prefill(tokens_, chunk, Sparse(pattern, 0));
        CheckClose(Logits(result.kv), expected, std::string(pattern));
      }
    }
    // Vertical-slash keeps all when the floor is everything.
    const PrefillResult result = Prefill(tokens_, 700, Sparse(nullptr, 1));
    CheckClose(Logits(result.kv), expected, "a floor of 1");
    CHECK(!result.report.sparse && result.report.kept_pairs == result.report.dense_pairs);
  }

  void SegmentsMakeNoDifference() {
    const PrefillSettings settings = Sparse(nullptr, 0.5);
    const PrefillResult whole = Prefill(tokens_, 500, settings);
    const std::span<const uint32_t> all = tokens_;
    const KvState half = engine_->Prefill({}, all.first(1500), 500, settings, kNever, kSilent).kv;
    const PrefillResult rest =
        engine_->Prefill(half, all.subspan(1500), 500, settings, kNever, kSilent);
    CheckClose(Logits(rest.kv), Logits(whole.kv), "two segments");
  }

  void GuardKeepsTheFloor() {
    for (const char* narrow : {R"(["stream_llm", 1, 64, 1])", R"(["block_sparse", 3, 0, 1])"}) {
      const PrefillReport off = Prefill(tokens_, 1500, Sparse(narrow, 0)).report;
      CHECK(off.sparse && off.guard_pairs == 0 && off.recall_count == 2 * 2 * 4);
      CHECK_WITH(off.recall_least < 0.5, narrow);
      const PrefillReport on = Prefill(tokens_, 1500, Sparse(narrow, 0.9)).report;
      CHECK_WITH(on.guard_pairs > 0 && on.kept_pairs > off.kept_pairs, narrow);
      // Covers are per row block and the probe's rows lie in two: a little less than was chosen
      // for.
      CHECK_WITH(on.recall_least > 0.85, narrow);
      CHECK(on.kept_pairs <= on.dense_pairs * 1.0001);
    }
    // Enough blocks are left as they are.
    const PrefillReport wide =
        Prefill(tokens_, 1500, Sparse(R"(["block_sparse", 25, 0, 1])", 0.05)).report;
    CHECK(wide.sparse && wide.guard_pairs == 0);
    const char* narrow = R"(["stream_llm", 1, 64, 1])";
    // Without a floor for all, each head has its pattern's.
    const PrefillReport own = Prefill(tokens_, 1500, Sparse(narrow, -1)).report;
    CHECK(own.guard_pairs == Prefill(tokens_, 1500, Sparse(narrow, 0.95)).report.guard_pairs);
    const char* content = R"(["stream_llm", 1, 64, 1, 0])";
    CHECK(Prefill(tokens_, 1500, Sparse(content, -1)).report.guard_pairs == 0);
  }

  void AutoIsDenseForShortContexts() {
    PrefillSettings settings;
    settings.mode = PrefillMode::kAuto;
    const PrefillReport report = Prefill(tokens_, 1500, settings).report;
    CHECK(!report.sparse && report.dense_pairs > 0);
  }

  // Chunks begin and end within what is scored, and the last token has no successor.
  void ScoresAsLogitsDo() {
    const std::span<const uint32_t> text = std::span<const uint32_t>(tokens_).first(50);
    constexpr int64_t kFrom = 11;
    double expected = 0;
    for (size_t i = kFrom; i < text.size(); ++i) {
      const std::vector<float> logits = engine_->Logits({}, text.first(i), 64, kNever);
      double sum = 0;
      for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
      expected += static_cast<double>(logits[text[i]]) - std::log(sum);
    }
    for (const int64_t chunk : {64, 16, 7, 1}) {
      PrefillSettings settings;
      settings.score_from = kFrom;
      const PrefillReport report =
          engine_->Prefill({}, text, chunk, settings, kNever, kSilent).report;
      CHECK(report.scored_tokens == 50 - kFrom);
      CHECK_WITH(std::fabs(report.log_likelihood - expected) < 1e-3,
                 "chunks of " + std::to_string(chunk));
    }
    CHECK(Prefill(tokens_, 500, {}).report.scored_tokens == 0);
  }

  // Areas of row blocks add up exactly where the lines make them regular.
  void ChoosesWithinTheBudget() {
    const int64_t tokens = 1'048'577, rows = 32768;
    std::vector<float> columns(static_cast<size_t>(tokens), 1e-7f);
    std::vector<float> bands(static_cast<size_t>(tokens / index::kBandOffsets + 1), 1e-6f);
    columns[5000] = 40.0f;
    bands[2000] = 20.0f;
    const ChunkRows chunk = {tokens - rows, rows, 96};
    const ProbeSums probe = {columns.data(), bands.data(), tokens, 64};
    const HeadChoice choice = ChooseLines(index::kDefaultPattern, chunk, probe, 0);
    CHECK(choice.kind == index::PatternKind::kVerticalSlash);
    const auto holds = [](const std::vector<index::Range>& list, int64_t number) {
      return std::ranges::any_of(list, [&](const index::Range& range) {
        return range.begin <= number && number < range.end;
      });
    };
    CHECK(holds(choice.columns, 5000) && holds(choice.bands, 2000 * index::kBandOffsets));
    CHECK(choice.pairs <= 1.05 * static_cast<double>(rows) * static_cast<double>(tokens) / 16);
    CHECK(choice.guard_pairs == 0);
  }

 private:
  HeadPatterns Read(const std::string& text) {
    WriteFile(folder_.File("patterns.json"), text);
    return HeadPatterns::Read(folder_.File("patterns.json"), 3, 4);
  }

  // The same pattern for every head; null: the default.
  PrefillSettings Sparse(const char* pattern, double floor) {
    PrefillSettings settings;
    settings.mode = PrefillMode::kSparse;
    settings.recall_floor = floor;
    if (pattern == nullptr) return settings;
    std::string layer = "{";
    for (int head = 0; head < 4; ++head) {
      layer += (head > 0 ? ", \"" : "\"") + std::to_string(head) + "\": " + pattern;
    }
    layer += "}";
    settings.patterns =
        std::make_shared<HeadPatterns>(Read("[" + layer + ", " + layer + ", " + layer + "]"));
    return settings;
  }

  PrefillResult Prefill(const std::vector<uint32_t>& tokens, int64_t chunk,
                        const PrefillSettings& settings) {
    return engine_->Prefill({}, tokens, chunk, settings, kNever, kSilent);
  }

  std::vector<float> Logits(const KvState& state) {
    const std::vector<uint32_t> question = {7, 9};
    return engine_->Logits(state, question, 8, kNever);
  }

  static void CheckClose(const std::vector<float>& actual, const std::vector<float>& expected,
                         const std::string& what) {
    double worst = 0;
    for (size_t i = 0; i < actual.size(); ++i) {
      worst = std::max(worst, std::fabs(static_cast<double>(actual[i] - expected[i])));
    }
    CHECK_WITH(worst < 2e-4, what + ": logits differ by " + std::to_string(worst));
  }

  TemporaryFolder folder_;
  std::unique_ptr<Engine> engine_;
  std::vector<uint32_t> tokens_;
};

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::SparsePrefillTest test;
  test.ReadsPatternFiles();
  test.RefusesWrongFiles();
  test.KeepingAllIsDense();
  test.SegmentsMakeNoDifference();
  test.GuardKeepsTheFloor();
  test.AutoIsDenseForShortContexts();
  test.ScoresAsLogitsDo();
  test.ChoosesWithinTheBudget();
  return longsight::test::Finish("sparse_prefill_test");
}

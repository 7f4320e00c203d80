// The search for head patterns: on heads whose attention was planted, the pattern that fits has the
// least error at equal cost; and what the engine tells of a text.
#include "engine/pattern_search.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "check.h"
#include "engine/engine.h"
#include "engine/line_choice.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};
constexpr int64_t kTokens = 6144, kRows = 1024, kFirst = kTokens - kRows;
constexpr int64_t kHeads = 4, kHeadSize = 64, kBudget = 1024;

enum Head { kLocal, kColumns, kBlocks, kSlashes };
enum Candidate { kAShape, kFree, kColumnsOnly, kSlashesOnly, kBlockSparse };
const char* const kPatterns[] = {
    R"(["stream_llm", 200, 729, 1])", R"(["vertical_and_slash", 1000, 6096, 1])",
    R"(["vertical_and_slash", 6096, 0, 1])", R"(["vertical_and_slash", 0, 6096, 1])",
    R"(["block_sparse", 16, 0, 1])"};

std::string OneLayer(const std::string& pattern, int64_t heads) {
  std::string layer = "{";
  for (int64_t head = 0; head < heads; ++head) {
    layer += (head > 0 ? ", \"" : "\"") + std::to_string(head) + "\": " + pattern;
  }
  return layer + "}";
}

// Q of the last kRows positions and K of all, such that each head's attention is of one kind.
class PlantedHeads {
 public:
  PlantedHeads() : query_(kRows * kHeads * kHeadSize), keys_(kTokens * kHeads * kHeadSize) {
    for (float& value : keys_) value = 0.05f * Normal();
    values_ = keys_;
    for (float& value : values_) value = Normal();
    PlantWaves(kLocal, 0.006, 0.6f, {0});
    PlantColumns();
    PlantBlocks();
    PlantWaves(kSlashes, std::numbers::pi, 1.2f, {1100, 2900});
  }

  PatternScores Try(Backend& backend, const PatternTrial& trial) {
    DecoderSpec spec;
    spec.heads = spec.kv_heads = kHeads;
    spec.head_size = kHeadSize;
    spec.attention_scale = 1;
    spec.layers.resize(1);
    const KvRun run = {keys_.data(), values_.data(), nullptr, nullptr, DType::kF32, kTokens, 0};
    std::vector<float> out(query_.size()), lse(kRows * kHeads);
    AttentionCall dense{};
    dense.query = {query_.data(), DType::kF32, spec.query_size()};
    dense.rows = kRows;
    dense.first_position = kFirst;
    dense.kv = {&run, 1};
    dense.out = {out.data(), DType::kF32, spec.query_size()};
    dense.lse = lse.data();
    dense.cancel = &kNever;
    backend.Attend(spec, dense);
    SparseCall call{};
    call.query = {query_.data(), DType::kF32, spec.query_size()};
    call.rows = kRows;
    call.first_position = kFirst;
    call.kv = {&run, 1};
    call.out = {out.data(), DType::kF32, spec.query_size()};
    call.lse = lse.data();
    call.cancel = &kNever;
    PatternSearch search(spec, backend, trial, kTokens, kRows);
    search.Observe(0, call);
    return search.Finish();
  }

 private:
  float Normal() { return normal_(random_); }
  float* Query(int64_t row, Head head) { return query_.data() + (row * kHeads + head) * kHeadSize; }
  float* Key(int64_t key, Head head) { return keys_.data() + (key * kHeads + head) * kHeadSize; }

  // Rotating features: q.k depends on the offset alone, and is highest at `offsets`. The lower the
  // frequencies, the wider.
  void PlantWaves(Head head, double highest, float size, const std::vector<int64_t>& offsets) {
    std::uniform_real_distribution<double> uniform(0, highest);
    for (int64_t i = 0; i < kHeadSize; i += 2) {
      const double frequency = uniform(random_);
      for (int64_t key = 0; key < kTokens; ++key) {
        const double angle = frequency * static_cast<double>(key);
        Key(key, head)[i] = size * static_cast<float>(std::cos(angle));
        Key(key, head)[i + 1] = size * static_cast<float>(std::sin(angle));
      }
      for (int64_t row = 0; row < kRows; ++row) {
        for (const int64_t offset : offsets) {
          const double angle = frequency * static_cast<double>(kFirst + row - offset);
          Query(row, head)[i] += size * static_cast<float>(std::cos(angle));
          Query(row, head)[i + 1] += size * static_cast<float>(std::sin(angle));
        }
      }
    }
  }

  // A few hundred keys, anywhere, that every row looks for.
  void PlantColumns() {
    for (int64_t row = 0; row < kRows; ++row) Query(row, kColumns)[0] = 4;
    std::uniform_int_distribution<int64_t> anywhere(0, kFirst - 1);
    for (int i = 0; i < 300; ++i) Key(anywhere(random_), kColumns)[0] = 4;
  }

  // Each row block looks for four key blocks of its own.
  void PlantBlocks() {
    constexpr int64_t kKeyBlocks = kTokens / index::kKeyBlock;
    std::vector<float> codes(kKeyBlocks * kHeadSize);
    for (float& value : codes) value = 5.0f * Normal() / std::sqrt(float{kHeadSize});
    for (int64_t key = 0; key < kTokens; ++key) {
      for (int64_t i = 0; i < kHeadSize; ++i) {
        Key(key, kBlocks)[i] = codes[static_cast<size_t>(key / index::kKeyBlock * kHeadSize + i)];
      }
    }
    std::uniform_int_distribution<int64_t> anywhere(0, kFirst / index::kKeyBlock - 1);
    for (int64_t begin = 0; begin < kRows; begin += 96) {
      for (int n = 0; n < 4; ++n) {
        const float* code = codes.data() + anywhere(random_) * kHeadSize;
        for (int64_t row = begin; row < std::min(begin + 96, kRows); ++row) {
          for (int64_t i = 0; i < kHeadSize; ++i) Query(row, kBlocks)[i] += code[i];
        }
      }
    }
  }

  std::mt19937 random_{7};
  std::normal_distribution<float> normal_;
  std::vector<float> query_, keys_, values_;
};

void PlantedHeadsAreFound() {
  const std::unique_ptr<Backend> backend = MakeCpuBackend(2, true);
  PatternTrial trial;
  trial.budget_keys = kBudget;
  for (const char* pattern : kPatterns) {
    trial.candidates.push_back(
        HeadPatterns::Parse(pattern, "[" + OneLayer(pattern, kHeads) + "]", 1, kHeads));
  }
  const PatternScores scores = PlantedHeads().Try(*backend, trial);
  const auto of = [&](Candidate candidate, Head head) -> const HeadScore& {
    return scores.candidates[static_cast<size_t>(candidate)].heads[static_cast<size_t>(head)];
  };
  for (const Head head : {kLocal, kColumns, kBlocks, kSlashes}) {
    std::string told = "head " + std::to_string(head) + ":";
    for (size_t candidate = 0; candidate < scores.candidates.size(); ++candidate) {
      const HeadScore& score = of(static_cast<Candidate>(candidate), head);
      told += " " + std::to_string(score.error) + " (" + std::to_string(score.keys) + " keys)";
      // Equal cost: what a budget cannot be spent on is less.
      CHECK_WITH(score.keys < 1.1 * kBudget, told);
    }
    std::cerr << told << "\n";
  }
  CHECK(of(kAShape, kLocal).error < 0.05 && of(kAShape, kLocal).recall > 0.99);
  CHECK(of(kColumnsOnly, kLocal).error > 0.1 && of(kBlockSparse, kColumns).error > 0.3);
  CHECK(of(kFree, kColumns).error < 0.05 && of(kColumnsOnly, kColumns).error < 0.05);
  CHECK(of(kAShape, kColumns).error > 0.5 && of(kSlashesOnly, kColumns).error > 0.3);
  CHECK(of(kBlockSparse, kBlocks).error < 0.15);
  for (const Candidate other : {kAShape, kFree, kColumnsOnly, kSlashesOnly}) {
    CHECK(of(other, kBlocks).error > 2 * of(kBlockSparse, kBlocks).error);
  }
  CHECK(of(kFree, kSlashes).error < 0.1 && of(kSlashesOnly, kSlashes).error < 0.1);
  CHECK(of(kAShape, kSlashes).error > 0.5 && of(kColumnsOnly, kSlashes).error > 0.5);
}

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

const reference::Config kConfig = SmallConfig(3);

void EngineTriesPatterns() {
  const ModelTraits traits;
  const TemporaryFolder folder;
  WriteFile(folder.File("model.safetensors"),
            SafetensorsBytes(MakeRandomModel(kConfig, traits).tensors));
  WriteFile(folder.File("config.json"),
            "{" + ConfigFields(kConfig, traits, "LlamaForCausalLM") + "}");
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
  longsight::test::PlantedHeadsAreFound();
  longsight::test::BudgetsAreFilled();
  longsight::test::EngineTriesPatterns();
  return longsight::test::Finish("pattern_search_test");
}

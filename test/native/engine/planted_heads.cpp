#include "planted_heads.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "engine/dtype.h"
#include "engine/pattern_search.h"

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

// Q of the last kRows positions and K of all, such that each head's attention is of one kind.
class PlantedHeads {
 public:
  explicit PlantedHeads(int64_t block_rows)
      : query_(kRows * kHeads * kHeadSize), keys_(kTokens * kHeads * kHeadSize) {
    for (float& value : keys_) value = 0.05f * Normal();
    values_ = keys_;
    for (float& value : values_) value = Normal();
    PlantWaves(kLocal, 0.006, 0.6f, {0});
    PlantColumns();
    PlantBlocks(block_rows);
    PlantWaves(kSlashes, std::numbers::pi, 1.2f, {1100, 2900});
  }

  PatternScores Try(Backend& backend, const PatternTrial& trial) {
    DecoderSpec spec;
    spec.heads = spec.kv_heads = kHeads;
    spec.head_size = kHeadSize;
    spec.attention_scale = 1;
    spec.layers.resize(1);
    const DType type = backend.activation_type();
    const auto upload = [&](const std::vector<float>& values) {
      const auto count = static_cast<int64_t>(values.size());
      BackendMemory memory = backend.Allocate(count * DTypeBytes(type), "planted heads");
      backend.Upload(values.data(), count, {memory.get(), type, count});
      return memory;
    };
    const BackendMemory query = upload(query_), keys = upload(keys_), values = upload(values_);
    const BackendMemory out =
        backend.Allocate(kRows * spec.query_size() * DTypeBytes(type), "planted heads' output");
    const BackendMemory lse =
        backend.Allocate(kRows * kHeads * int64_t{sizeof(float)}, "planted heads' sums");
    const KvRun run = {keys.get(), values.get(), nullptr, nullptr, type, kTokens, 0};
    AttentionCall dense{};
    dense.query = {query.get(), type, spec.query_size()};
    dense.rows = kRows;
    dense.first_position = kFirst;
    dense.kv = {&run, 1};
    dense.out = {out.get(), type, spec.query_size()};
    dense.lse = reinterpret_cast<float*>(lse.get());
    dense.cancel = &kNever;
    backend.Attend(spec, dense);
    SparseCall call{};
    call.query = dense.query;
    call.rows = kRows;
    call.first_position = kFirst;
    call.kv = dense.kv;
    call.out = dense.out;
    call.lse = dense.lse;
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
  void PlantBlocks(int64_t block_rows) {
    constexpr int64_t kKeyBlocks = kTokens / index::kKeyBlock;
    std::vector<float> codes(kKeyBlocks * kHeadSize);
    for (float& value : codes) value = 5.0f * Normal() / std::sqrt(float{kHeadSize});
    for (int64_t key = 0; key < kTokens; ++key) {
      for (int64_t i = 0; i < kHeadSize; ++i) {
        Key(key, kBlocks)[i] = codes[static_cast<size_t>(key / index::kKeyBlock * kHeadSize + i)];
      }
    }
    std::uniform_int_distribution<int64_t> anywhere(0, kFirst / index::kKeyBlock - 1);
    for (int64_t begin = 0; begin < kRows; begin += block_rows) {
      for (int n = 0; n < 4; ++n) {
        const float* code = codes.data() + anywhere(random_) * kHeadSize;
        for (int64_t row = begin; row < std::min(begin + block_rows, kRows); ++row) {
          for (int64_t i = 0; i < kHeadSize; ++i) Query(row, kBlocks)[i] += code[i];
        }
      }
    }
  }

  std::mt19937 random_{7};
  std::normal_distribution<float> normal_;
  std::vector<float> query_, keys_, values_;
};

}  // namespace

std::string OneLayer(const std::string& pattern, int64_t heads) {
  std::string layer = "{";
  for (int64_t head = 0; head < heads; ++head) {
    layer += (head > 0 ? ", \"" : "\"") + std::to_string(head) + "\": " + pattern;
  }
  return layer + "}";
}

void CheckPlantedHeads(Backend& backend, int64_t block_rows) {
  PatternTrial trial;
  trial.budget_keys = kBudget;
  for (const char* pattern : kPatterns) {
    trial.candidates.push_back(
        HeadPatterns::Parse(pattern, "[" + OneLayer(pattern, kHeads) + "]", 1, kHeads));
  }
  const PatternScores scores = PlantedHeads(block_rows).Try(backend, trial);
  const auto of = [&](Candidate candidate, Head head) -> const HeadScore& {
    return scores.candidates[static_cast<size_t>(candidate)].heads[static_cast<size_t>(head)];
  };
  for (const Head head : {kLocal, kColumns, kBlocks, kSlashes}) {
    std::string told = "head " + std::to_string(head) + ":";
    for (size_t candidate = 0; candidate < scores.candidates.size(); ++candidate) {
      const HeadScore& score = of(static_cast<Candidate>(candidate), head);
      told += " " + std::to_string(score.error) + " (" + std::to_string(score.keys) + " keys)";
      // Equal cost: what a budget cannot be spent on is less, and rows before the chunk's end may
      // cover some more.
      CHECK_WITH(score.keys < 1.2 * kBudget, told);
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

}  // namespace longsight::test

// Where an answer's attention lay: the weighing by hand, and through the engine against what must
// hold whatever the weights are.
#include <cmath>
#include <numeric>

#include "check.h"
#include "engine/attention_evidence.h"
#include "engine/engine.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};
const ForwardProgress kSilent = [](int64_t) {};

const reference::Config kConfig = SmallConfig(4);

bool Near(double a, double b, double tolerance) { return std::fabs(a - b) <= tolerance; }

double Sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// Two heads: one looks at one span, one at three alike; both rest on the first one as well.
void WeighsByConcentration() {
  DecoderSpec spec;
  spec.heads = 2;
  AttentionEvidence evidence(spec, {4, 10, 20, 40}, 40);
  CHECK(evidence.Result().shares.empty() && evidence.Result().mass == 0);
  const std::span<float> row = evidence.row();
  CHECK(row.size() == 8);
  const float masses[] = {0.5f, 0, 0.25f, 0, 0.5f, 0.125f, 0.125f, 0.125f};
  std::copy(std::begin(masses), std::end(masses), row.begin());
  evidence.Add();
  const EvidenceShares result = evidence.Result();
  CHECK(Near(result.mass, (0.25 + 0.375) / 2, 1e-9));
  // Weights 1 and 1/3: the spans get 0.125/3, 0.25 + 0.125/3, 0.125/3 of 0.375.
  const double expected[] = {0, 1.0 / 9, 7.0 / 9, 1.0 / 9};
  for (size_t i = 0; i < 4; ++i) CHECK(Near(result.shares[i], expected[i], 1e-9));
  // What was added is gone from the next row.
  for (const float mass : evidence.row()) CHECK(mass == 0);
}

void RefusesSpansThatAreNone() {
  const DecoderSpec spec;
  const auto make = [&](std::vector<int64_t> ends) {
    AttentionEvidence(spec, std::move(ends), 10);
  };
  CHECK_ERROR(ErrorCode::kInvalidArgument, "must ascend", [&] { make({5, 4}); });
  CHECK_ERROR(ErrorCode::kInvalidArgument, "must ascend", [&] { make({5, 11}); });
  CHECK_ERROR(ErrorCode::kInvalidArgument, "must ascend", [&] { make({-1, 4}); });
  make({0, 0, 10});
}

class EvidenceTest {
 public:
  // `full_layers` of four; the others have a window.
  explicit EvidenceTest(int full_layers) {
    const ModelTraits traits;
    std::string types;
    for (int layer = 0; layer < 4; ++layer) {
      types += layer < full_layers ? "\"full_attention\"" : "\"sliding_attention\"";
      if (layer < 3) types += ", ";
    }
    const std::string windows = ", \"use_sliding_window\": true, \"sliding_window\": 16";
    WriteFile(folder_.File("model.safetensors"),
              SafetensorsBytes(MakeRandomModel(kConfig, traits).tensors));
    WriteFile(folder_.File("config.json"), "{" +
                                               ConfigFields(kConfig, traits, "SmolLM3ForCausalLM") +
                                               windows + ", \"layer_types\": [" + types + "]}");
    engine_ = Engine::Load(folder_.path(), {.threads = 2, .precision = Precision::kF32});
    for (uint32_t i = 0; i < 300; ++i) tokens_.push_back((i * 37) % 200);
  }

  EvidenceShares Ask(const KvState& base, std::vector<int64_t> ends, int64_t max_tokens = 3,
                     const std::vector<uint32_t>& question = {7}) {
    GenerateOptions options;
    options.max_tokens = max_tokens;
    options.chunk_tokens = 64;
    options.evidence_ends = std::move(ends);
    return engine_->Generate(base, question, options, kNever, [](uint32_t) {}).evidence;
  }

  void AddsUp() {
    const KvState whole = engine_->Prefill({}, tokens_, 64, kNever, kSilent);
    std::vector<int64_t> ends = {1};
    for (int64_t end = 10; end <= 300; end += 10) ends.push_back(end);
    const EvidenceShares shares = Ask(whole, ends);
    CHECK(shares.shares.size() == ends.size() && shares.shares[0] == 0);
    CHECK(Near(Sum(shares.shares), 1, 1e-9));
    // All but the first token, the question and two sampled tokens: nearly everything of 301 to
    // 303, since a random model looks everywhere.
    CHECK_WITH(shares.mass > 0.9 && shares.mass < 1, std::to_string(shares.mass));
    // A span that is cut in two gives its mass to both.
    const double whole_mass = Ask(whole, {1, 300}, 1).mass;
    CHECK(Near(Ask(whole, {1, 7, 300}, 1).mass, whole_mass, 1e-6));
    CHECK(Ask(whole, {1, 150}, 1).mass < whole_mass);
    CHECK(Ask(whole, {}).shares.empty());
  }

  // How the context came to be does not matter.
  void IsTheSameOverSegments() {
    const std::vector<int64_t> ends = {1, 40, 41, 130, 299};
    const EvidenceShares whole = Ask(engine_->Prefill({}, tokens_, 64, kNever, kSilent), ends);
    const std::span<const uint32_t> all(tokens_);
    KvState parts = engine_->Prefill({}, all.first(41), 64, kNever, kSilent);
    parts = engine_->Prefill(parts, all.subspan(41), 64, kNever, kSilent);
    const EvidenceShares split = Ask(parts, ends);
    CHECK(Near(split.mass, whole.mass, 1e-5));
    for (size_t i = 0; i < ends.size(); ++i) {
      CHECK(Near(split.shares[i], whole.shares[i], 1e-4));
    }
  }

  // Of a question only the last token counts: the one that the answer is sampled from.
  void IsOfTheLastRow() {
    const KvState base = engine_->Prefill({}, tokens_, 64, kNever, kSilent);
    const std::vector<uint32_t> begun = {3, 90, 41};
    const KvState longer = engine_->Prefill(base, begun, 64, kNever, kSilent);
    const std::vector<int64_t> ends = {1, 40, 41, 130, 300};
    const EvidenceShares at_once = Ask(base, ends, 1, {3, 90, 41, 12});
    const EvidenceShares last = Ask(longer, ends, 1, {12});
    CHECK(Near(at_once.mass, last.mass, 1e-5));
    for (size_t i = 0; i < ends.size(); ++i) {
      CHECK(Near(at_once.shares[i], last.shares[i], 1e-4));
    }
    const EvidenceShares other = Ask(longer, ends, 1, {13});
    CHECK(!Near(other.mass, last.mass, 1e-5));
  }

  void NeedsALayerThatSeesAll() {
    const KvState whole = engine_->Prefill({}, tokens_, 64, kNever, kSilent);
    CHECK(Ask(whole, {1, 300}).shares.empty());
  }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Engine> engine_;
  std::vector<uint32_t> tokens_;
};

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::WeighsByConcentration();
  longsight::test::RefusesSpansThatAreNone();
  longsight::test::EvidenceTest test(2);
  test.AddsUp();
  test.IsTheSameOverSegments();
  test.IsOfTheLastRow();
  longsight::test::EvidenceTest(0).NeedsALayerThatSeesAll();
  return longsight::test::Finish("evidence_test");
}

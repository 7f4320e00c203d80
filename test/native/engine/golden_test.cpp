// The engine and its oracle against Hugging Face transformers: logits and greedy continuation of
// the models in test/golden, however the tokens are brought in.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "check.h"
#include "engine/engine.h"
#include "reference/decoder_reference.h"
#include "reference/tensor_reader.h"

namespace longsight::test {
namespace {

// Position of the first and distance between the positions whose logits a golden file holds.
constexpr int64_t kStride = 4;
constexpr double kTolerance = 1e-3;
const std::atomic<bool> kNever{false};
const ForwardProgress kSilent = [](int64_t) {};

reference::Config ReferenceConfig(const std::string& name) {
  reference::Config config{.hidden = 96,
                           .heads = 6,
                           .kv_heads = 2,
                           .head_size = 16,
                           .intermediate = 160,
                           .vocabulary = 320,
                           .norm_epsilon = 1e-6,
                           .rope_theta = 3580165449.0,
                           .layers = std::vector<reference::Config::Layer>(4)};
  if (name == "llama31") {
    config.kv_heads = 3;
    config.rope_theta = 500000.0;
    config.llama3 = reference::Llama3Scaling{8.0, 1.0, 4.0, 64.0};
  } else if (name == "qwen2") {
    config.norm_epsilon = 1e-5;
    config.rope_theta = 1e7;
  } else if (name == "qwen3") {
    config.heads = 4;
    config.head_size = 32;
    config.rope_theta = 5e6;
    config.query_key_norm = true;
  } else if (name == "glm4-9b") {
    config.norm_epsilon = 1.5625e-7;
    config.rope_theta = 1e8;
    config.half_interleaved_rope = true;
  } else if (name == "smollm3") {
    config.heads = 4;
    config.head_size = 24;
    config.rope_theta = 5e6;
    config.layers[3].rope = false;
  }
  return config;
}

class GoldenModel {
 public:
  GoldenModel(const std::string& root, const std::string& name)
      : dir_(root + "/" + name),
        name_(name),
        golden_(reference::ReadTensors(dir_ + "/golden.safetensors")),
        engine_(Engine::Load(dir_, {.threads = 2, .precision = Precision::kF32})) {
    for (const double id : golden_.at("input_ids").values) {
      tokens_.push_back(static_cast<uint32_t>(id));
    }
  }

  void RunAll() {
    CheckOracle();
    CheckStepByStep();
    for (const int64_t chunk : {160, 64, 7}) CheckPrompt(chunk);
    CheckForksAndViews();
    CheckGreedy();
    CheckBf16();
  }

 private:
  std::span<const uint32_t> Tokens(int64_t begin, int64_t end) const {
    return std::span(tokens_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  }

  // Against the golden logits of `position`, a multiple of the stride.
  template <typename Number>
  void CheckLogits(int64_t position, const std::vector<Number>& logits, const std::string& how,
                   double tolerance = kTolerance) const {
    const std::vector<double>& golden = golden_.at("logits").values;
    double worst = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      const double expected = golden[static_cast<size_t>(position / kStride) * logits.size() + i];
      worst = std::max(worst, std::abs(static_cast<double>(logits[i]) - expected));
    }
    CHECK_WITH(worst <= tolerance, name_ + ", " + how + ", position " + std::to_string(position) +
                                       ": off by " + std::to_string(worst));
  }

  void CheckOracle() const {
    reference::Weights weights;
    for (auto& [name, tensor] : reference::ReadTensors(dir_ + "/model.safetensors")) {
      weights.emplace(name, tensor.values);
    }
    const auto logits = reference::Logits(ReferenceConfig(name_), weights, tokens_);
    for (size_t position = 0; position < tokens_.size(); position += kStride) {
      CheckLogits(static_cast<int64_t>(position), logits[position], "oracle");
    }
  }

  // One token at a time, each in a segment of its own: the longest list of segments.
  void CheckStepByStep() {
    KvState state;
    const auto count = static_cast<int64_t>(tokens_.size());
    for (int64_t position = 0; position < count; ++position) {
      const auto token = Tokens(position, position + 1);
      if (position % kStride == 0) {
        CheckLogits(position, engine_->Logits(state, token, 1, kNever), "step by step");
      }
      state = engine_->Prefill(state, token, 1, kNever, kSilent);
    }
    CHECK(state.token_count() == count);
  }

  void CheckPrompt(int64_t chunk) {
    const auto count = static_cast<int64_t>(tokens_.size());
    for (int64_t position = 0; position < count; position += 4 * kStride) {
      CheckLogits(position, engine_->Logits({}, Tokens(0, position + 1), chunk, kNever),
                  "prompt in chunks of " + std::to_string(chunk));
    }
  }

  // A prefix shared by several continuations, and views that end inside its segments.
  void CheckForksAndViews() {
    const KvState prefix = engine_->Prefill({}, Tokens(0, 100), 32, kNever, kSilent);
    const std::vector<uint32_t> other(20, 5);
    const KvState detour = engine_->Prefill(prefix, other, 20, kNever, kSilent);
    const KvState longer = engine_->Prefill(prefix, Tokens(100, 140), 40, kNever, kSilent);
    CheckLogits(156, engine_->Logits(longer, Tokens(140, 157), 64, kNever), "forked");
    CheckLogits(128, engine_->Logits(longer.View(120), Tokens(120, 129), 64, kNever),
                "view of the second segment");
    CheckLogits(60, engine_->Logits(detour.View(60), Tokens(60, 61), 64, kNever),
                "view of the first segment");
    CheckLogits(100, engine_->Logits(detour.View(100), Tokens(100, 101), 64, kNever),
                "view back to the prefix");
    CheckLogits(0, engine_->Logits(detour.View(0), Tokens(0, 1), 64, kNever), "empty view");
    const int64_t shared = prefix.token_count() + 20 + 40;
    CHECK(engine_->kv_bytes() == shared * engine_->kv_layout().bytes_per_token());
  }

  std::vector<uint32_t> Generate(const KvState& base, std::span<const uint32_t> tokens) {
    GenerateOptions options;
    options.max_tokens = 16;
    options.chunk_tokens = 50;
    const GenerateResult result = engine_->Generate(base, tokens, options, kNever, [](uint32_t) {});
    CHECK(result.stop_reason == StopReason::kMaxTokens);
    CHECK(result.kv.token_count() == base.token_count() + static_cast<int64_t>(tokens.size()) + 15);
    return result.tokens;
  }

  void CheckGreedy() {
    std::vector<uint32_t> expected;
    for (const double id : golden_.at("greedy").values) {
      expected.push_back(static_cast<uint32_t>(id));
    }
    CHECK_WITH(Generate({}, tokens_) == expected, name_ + ": greedy, prompt at once");
    const KvState prefix = engine_->Prefill({}, Tokens(0, 130), 50, kNever, kSilent);
    CHECK_WITH(Generate(prefix, Tokens(130, 160)) == expected, name_ + ": greedy, forked");
    CHECK_WITH(Generate(prefix.View(30), Tokens(30, 160)) == expected, name_ + ": greedy, view");
  }

  // bf16 KV: not exact, but near; a wrong layout or rounding would be far off.
  void CheckBf16() const {
    const auto engine = Engine::Load(dir_, {.threads = 1, .precision = Precision::kBf16});
    const std::vector<float> logits = engine->Logits({}, tokens_, 64, kNever);
    const std::vector<float> exact = engine_->Logits({}, tokens_, 64, kNever);
    double worst = 0, largest = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(logits[i]) - exact[i]));
      largest = std::max(largest, std::abs(static_cast<double>(exact[i])));
    }
    CHECK_WITH(worst <= 0.02 * largest, name_ + ": bf16 is off by " + std::to_string(worst));
    CHECK_WITH(worst > 0, name_ + ": bf16 KV changed nothing");
  }

  std::string dir_;
  std::string name_;
  std::map<std::string, reference::StoredTensor> golden_;
  std::unique_ptr<Engine> engine_;
  std::vector<uint32_t> tokens_;
};

}  // namespace
}  // namespace longsight::test

// golden_test DIR NAME...
int main(int argc, char** argv) {
  for (int i = 2; i < argc; ++i) longsight::test::GoldenModel(argv[1], argv[i]).RunAll();
  return longsight::test::Finish("golden_test");
}

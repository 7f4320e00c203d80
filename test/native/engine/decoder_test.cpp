// The engine against the fp64 oracle, on random models of shapes and features that no golden model
// has, and with every way of cutting a prompt into segments, chunks and views.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "engine/engine.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};
const ForwardProgress kSilent = [](int64_t) {};

struct Case {
  std::string name;
  std::string architecture;
  reference::Config config;
  ModelTraits traits = {};
  // Further fields of config.json, each with a comma in front.
  std::string fields = "";
  int padding = 0;
};

reference::Config SmallConfig(int64_t heads, int64_t kv_heads, int64_t head_size, size_t layers) {
  return {.hidden = 40,
          .heads = heads,
          .kv_heads = kv_heads,
          .head_size = head_size,
          .intermediate = 72,
          .vocabulary = 101,
          .norm_epsilon = 1e-5,
          .rope_theta = 10000.0,
          .layers = std::vector<reference::Config::Layer>(layers)};
}

std::vector<uint32_t> RandomTokens(int64_t count, int64_t vocabulary, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint32_t> tokens;
  for (int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<uint32_t>(random() % static_cast<uint32_t>(vocabulary)));
  }
  return tokens;
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  cases.push_back({"plain, heads share nothing", "LlamaForCausalLM", SmallConfig(5, 5, 8, 2)});
  cases.push_back({"one KV head, one layer", "LlamaForCausalLM", SmallConfig(7, 1, 16, 1)});
  cases.push_back({"all biases, F16",
                   "LlamaForCausalLM",
                   SmallConfig(4, 2, 24, 2),
                   {.dtype = "F16", .qkv_bias = true, .output_bias = true, .mlp_bias = true},
                   ", \"attention_bias\": true, \"mlp_bias\": true"});
  cases.push_back({"F32, tied, data off its alignment",
                   "LlamaForCausalLM",
                   SmallConfig(4, 2, 16, 2),
                   {.dtype = "F32", .tied = true},
                   "",
                   3});

  Case llama3{"llama3 scaling in the older spelling", "LlamaForCausalLM", SmallConfig(4, 2, 16, 2)};
  llama3.config.llama3 = reference::Llama3Scaling{4.0, 1.0, 8.0, 32.0};
  llama3.fields =
      ", \"rope_scaling\": {\"type\": \"llama3\", \"factor\": 4.0, \"low_freq_factor\": 1.0, "
      "\"high_freq_factor\": 8.0, \"original_max_position_embeddings\": 32}";
  cases.push_back(llama3);

  // As our bundled model: RoPE layers slide, layers without RoPE see everything.
  Case smol{"windows with RoPE, full without",
            "SmolLM3ForCausalLM",
            SmallConfig(6, 2, 16, 4),
            {.tied = true}};
  smol.config.layers = {{true, 9}, {false, 0}, {true, 9}, {false, 0}};
  smol.fields =
      ", \"no_rope_layers\": [1, 0, 1, 0], \"use_sliding_window\": true, \"sliding_window\": 9, "
      "\"layer_types\": [\"sliding_attention\", \"full_attention\", \"sliding_attention\", "
      "\"full_attention\"]";
  cases.push_back(smol);

  Case by_default{"layers without RoPE slide by default",
                  "SmolLM3ForCausalLM",
                  SmallConfig(4, 2, 16, 4),
                  {.tied = true}};
  by_default.config.layers = {{true, 0}, {true, 0}, {true, 0}, {false, 5}};
  by_default.fields = ", \"use_sliding_window\": true, \"sliding_window\": 5";
  cases.push_back(by_default);

  Case qwen2{"Qwen2 with windows from the second layer on",
             "Qwen2ForCausalLM",
             SmallConfig(4, 2, 16, 3),
             {.qkv_bias = true}};
  qwen2.config.layers = {{true, 0}, {true, 7}, {true, 7}};
  qwen2.fields = ", \"use_sliding_window\": true, \"sliding_window\": 7, \"max_window_layers\": 1";
  cases.push_back(qwen2);

  Case qwen3{"Qwen3", "Qwen3ForCausalLM", SmallConfig(4, 4, 16, 2)};
  qwen3.config.query_key_norm = true;
  cases.push_back(qwen3);
  return cases;
}

class CaseRunner {
 public:
  explicit CaseRunner(const Case& c) : case_(c) {
    const RandomModel model = MakeRandomModel(c.config, c.traits);
    WriteFile(folder_.File("model.safetensors"), SafetensorsBytes(model.tensors, c.padding));
    WriteFile(folder_.File("config.json"),
              "{" + ConfigFields(c.config, c.traits, c.architecture) + c.fields + "}");
    tokens_ = RandomTokens(kTokens, c.config.vocabulary, 7);
    expected_ = reference::Logits(c.config, model.weights, tokens_);
    engine_ = Engine::Load(folder_.path(), {.threads = 2, .precision = Precision::kF32});
  }

  void Run() {
    for (const int64_t chunk : {int64_t{1}, int64_t{6}, kTokens}) {
      Compare(kTokens - 1, engine_->Logits({}, tokens_, chunk, kNever),
              "chunks of " + std::to_string(chunk));
    }
    // The prompt cut at random places, some cuts followed by a view back into the segment.
    std::mt19937 random(11);
    for (int round = 0; round < 6; ++round) {
      KvState state;
      while (state.token_count() < kTokens - 1) {
        const int64_t done = state.token_count();
        const int64_t taken = 1 + static_cast<int64_t>(random() % 20);
        const int64_t end = std::min(done + taken, kTokens - 1);
        state = engine_->Prefill(state, Tokens(done, end), 8, kNever, kSilent);
        if (random() % 3 == 0) state = state.View(end - static_cast<int64_t>(random() % 3));
        const int64_t next = state.token_count();
        Compare(next, engine_->Logits(state, Tokens(next, next + 1), 8, kNever),
                "round " + std::to_string(round));
      }
    }
  }

 private:
  static constexpr int64_t kTokens = 61;

  std::span<const uint32_t> Tokens(int64_t begin, int64_t end) const {
    return std::span(tokens_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  }

  void Compare(int64_t position, const std::vector<float>& logits, const std::string& how) const {
    const std::vector<double>& expected = expected_[static_cast<size_t>(position)];
    double worst = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(logits[i]) - expected[i]));
    }
    // fp32 sums against fp64 ones; the logits are of size 1 to 10.
    CHECK_WITH(worst <= 1e-4, case_.name + ", " + how + ", position " + std::to_string(position) +
                                  ": off by " + std::to_string(worst));
  }

  const Case& case_;
  TemporaryFolder folder_;
  std::vector<uint32_t> tokens_;
  std::vector<std::vector<double>> expected_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace
}  // namespace longsight::test

int main() {
  for (const auto& c : longsight::test::Cases()) longsight::test::CaseRunner(c).Run();
  return longsight::test::Finish("decoder_test");
}

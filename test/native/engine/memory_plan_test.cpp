// What is done when memory is short: which ways of having a context are offered, in which order,
// and what happens when the memory that was planned for is not there after all.
#include "engine/memory_plan.h"

#include <string>
#include <vector>

#include "check.h"
#include "engine/engine.h"
#include "limited_backend.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};
const ForwardProgress kSilent = [](int64_t) {};

reference::Config Config(int64_t head_size) {
  return {.hidden = 64,
          .heads = 4,
          .kv_heads = 2,
          .head_size = head_size,
          .intermediate = 128,
          .vocabulary = 200,
          .norm_epsilon = 1e-5,
          .rope_theta = 1e4,
          .layers = std::vector<reference::Config::Layer>(4)};
}

class MemoryPlanTest {
 public:
  explicit MemoryPlanTest(int64_t head_size = 16) {
    const ModelTraits traits;
    const reference::Config config = Config(head_size);
    WriteFile(folder_.File("model.safetensors"),
              SafetensorsBytes(MakeRandomModel(config, traits).tensors));
    std::string fields = ConfigFields(config, traits, "LlamaForCausalLM");
    const std::string had = "\"max_position_embeddings\": 4096";
    fields.replace(fields.find(had), had.size(), "\"max_position_embeddings\": 131072");
    WriteFile(folder_.File("config.json"), "{" + fields + "}");
  }

  // A whole context in bf16 before any in fp8, long chunks before short ones, and nothing that
  // saves nothing.
  void OffersTheBestFirst() {
    const auto engine = Make(KvType::kAuto, /*rounds=*/true);
    const std::vector<MemoryPlan> choices = engine->Plan(100000, 32768);
    CHECK(Names(choices) == "bf16 32768, bf16 16384, bf16 8192, fp8 32768, fp8 16384, fp8 8192");
    for (size_t i = 1; i < choices.size(); ++i) {
      CHECK(choices[i].required_bytes < choices[i - 1].required_bytes);
    }
    const int64_t scales = 2 * 2;  // of a row of two KV heads
    CHECK(choices[0].kv_bytes == 100000 * 4 * 2 * 2 * 16 * 2);
    CHECK(choices[3].kv_bytes == engine->Plan(100000, 8192, 0, DType::kE4M3)[0].kv_bytes);
    CHECK(choices[3].kv_bytes >= 100000 * 4 * 2 * (2 * 16 + scales));
    CHECK(choices[3].kv_bytes < 100000 * 4 * 2 * (2 * 16 + scales) + 8 * 256);
    // A chunk of 16,384 is no shorter than one of 32,768 when there are 9,000 tokens.
    CHECK(Names(engine->Plan(9000, 32768)) == "bf16 32768, bf16 8192, fp8 32768, fp8 8192");
    CHECK(Names(engine->Plan(9000, 4096)) == "bf16 4096, fp8 4096");
  }

  // What is held keeps its type, and is not paid for again.
  void KeepsTheTypeOfWhatIsHeld() {
    const auto engine = Make(KvType::kAuto, true);
    const std::vector<MemoryPlan> choices = engine->Plan(100000, 16384, 90000, DType::kE4M3);
    CHECK(Names(choices) == "fp8 16384, fp8 8192");
    CHECK(choices[0].kv_bytes == engine->Plan(10000, 16384, 0, DType::kE4M3)[0].kv_bytes);
    CHECK(choices[0].workspace_bytes >= choices[1].workspace_bytes);
    CHECK_ERROR(ErrorCode::kInvalidArgument, "heldTokens", [&] { engine->Plan(10, 1, 11); });
  }

  void KeepsToWhatIsDemanded() {
    CHECK(Names(Make(KvType::kBf16, true)->Plan(20000, 8192)) == "bf16 8192");
    CHECK(Names(Make(KvType::kFp8, true)->Plan(20000, 8192)) == "fp8 8192");
    // The CPU has no fp8, and nor has a head that no vector of 16 bytes fits.
    CHECK(Names(Make(KvType::kAuto, false)->Plan(20000, 16384)) == "bf16 16384, bf16 8192");
    MemoryPlanTest odd(24);
    CHECK(Names(odd.Make(KvType::kAuto, true)->Plan(20000, 8192)) == "bf16 8192");
    CHECK_ERROR(ErrorCode::kInvalidArgument, "multiple of 16, and this model's is 24",
                [&] { odd.Make(KvType::kFp8, true); });
    const auto cpu = Make(KvType::kAuto, false);
    const std::vector<uint32_t> tokens(10, 3);
    PrefillSettings settings;
    settings.kv_type = DType::kE4M3;
    CHECK_ERROR(ErrorCode::kInvalidArgument, "keeps no keys and values in fp8",
                [&] { cpu->Prefill({}, tokens, 8, settings, kNever, kSilent); });
  }

  // The first choice that fits is computed as it was planned, and the one before is refused with
  // its figures; what a chunk of another length leaves is the same state.
  void ComputesWhatFits() {
    const auto engine = Make(KvType::kAuto, false);
    const std::vector<uint32_t> tokens = Tokens(20000);
    const std::vector<MemoryPlan> choices = engine->Plan(20000, 32768);
    CHECK(Names(choices) == "bf16 32768, bf16 16384, bf16 8192");
    const std::vector<float> expected = Next(*engine, Prefill(*engine, tokens, 32768));
    limits_.available = choices[1].required_bytes - 1;
    for (const int64_t chunk : {32768, 16384}) {
      CHECK_ERROR(ErrorCode::kNotEnoughMemory, "20000 tokens need",
                  [&] { Prefill(*engine, tokens, chunk); });
    }
    CHECK(engine->kv_bytes() == 0);
    const KvState state = Prefill(*engine, tokens, 8192);
    CHECK(state.token_count() == 20000 && state.type() == DType::kBF16);
    CHECK(state.bytes() == choices[0].kv_bytes);
    limits_ = {};
    const std::vector<float> actual = Next(*engine, state);
    for (size_t i = 0; i < expected.size(); ++i) {
      if (!(std::abs(actual[i] - expected[i]) < 1e-3f)) CHECK(!"equal logits");
    }
  }

  // Whatever cannot be had although it was planned is an error with its purpose, and none that
  // lasts.
  void SurvivesWhatWasPlannedAndIsNotThere() {
    const auto engine = Make(KvType::kAuto, false);
    const std::vector<uint32_t> tokens = Tokens(100);
    const KvState prefix = Prefill(*engine, tokens, 64);
    const int64_t before = engine->kv_bytes();
    PrefillSettings sparse;
    sparse.mode = PrefillMode::kSparse;
    int failed = 0;
    for (int64_t allocations = 0;; ++allocations) {
      limits_.allocations = allocations;
      try {
        engine->Prefill(prefix, tokens, 64, sparse, kNever, kSilent);
        break;
      } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kNotEnoughMemory);
        CHECK(std::string(error.what()).find("gave no memory for") != std::string::npos);
        ++failed;
      }
      CHECK(engine->kv_bytes() == before);
    }
    CHECK(failed == 2);  // the KV, and the activations
    limits_ = {};
    CHECK(Prefill(*engine, tokens, 64, prefix).token_count() == 200);
  }

 private:
  std::unique_ptr<Engine> Make(KvType kv, bool rounds) {
    limits_ = {};
    return std::make_unique<Engine>(
        LoadModel(folder_.path()),
        std::make_unique<LimitedBackend>(MakeCpuBackend(2, false), limits_, rounds),
        Precision::kBf16, kv);
  }

  static KvState Prefill(Engine& engine, const std::vector<uint32_t>& tokens, int64_t chunk,
                         const KvState& base = {}) {
    return engine.Prefill(base, tokens, chunk, kNever, kSilent);
  }

  static std::vector<float> Next(Engine& engine, const KvState& state) {
    return engine.Logits(state, std::vector<uint32_t>{7}, 8, kNever);
  }

  static std::vector<uint32_t> Tokens(uint32_t count) {
    std::vector<uint32_t> tokens;
    for (uint32_t i = 0; i < count; ++i) tokens.push_back(i * 37 % 200);
    return tokens;
  }

  static std::string Names(const std::vector<MemoryPlan>& choices) {
    std::string names;
    for (const MemoryPlan& plan : choices) {
      if (!names.empty()) names += ", ";
      names += std::string(DTypeName(plan.kv_type)) + " " + std::to_string(plan.chunk_tokens);
    }
    return names;
  }

  TemporaryFolder folder_;
  Limits limits_;
};

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::MemoryPlanTest test;
  test.OffersTheBestFirst();
  test.KeepsTheTypeOfWhatIsHeld();
  test.KeepsToWhatIsDemanded();
  test.ComputesWhatFits();
  test.SurvivesWhatWasPlannedAndIsNotThere();
  return longsight::test::Finish("memory_plan_test");
}

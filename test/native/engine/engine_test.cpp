// The engine's operations: arguments, limits, cancellation, progress, memory, sampling in a
// generation.
#include "engine/engine.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "engine/system_memory.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};
const ForwardProgress kSilent = [](int64_t) {};

const reference::Config kConfig = SmallConfig(4);

class EngineTest {
 public:
  EngineTest() {
    WriteLlama(folder_, kConfig);
    engine_ = Engine::Load(folder_.path(), {.threads = 2});
    for (uint32_t i = 0; i < 300; ++i) tokens_.push_back((i * 37) % 200);
  }

  void RefusesBadArguments() {
    const auto prefill = [&](std::vector<uint32_t> tokens, int64_t chunk) {
      engine_->Prefill({}, tokens, chunk, kNever, kSilent);
    };
    CHECK_ERROR(ErrorCode::kInvalidArgument, "at least one token", [&] { prefill({}, 8); });
    CHECK_ERROR(ErrorCode::kInvalidArgument, "chunkTokens", [&] { prefill({1}, 0); });
    CHECK_ERROR(ErrorCode::kInvalidArgument, "tokens[1] is 200, but the vocabulary has 200",
                [&] { prefill({1, 200}, 8); });
    CHECK_ERROR(ErrorCode::kOverBudget, "exceed the model's 4096",
                [&] { prefill(std::vector<uint32_t>(4097, 1), 64); });
    CHECK_ERROR(ErrorCode::kInvalidArgument, "contextTokens", [&] { engine_->Plan(4097, 8); });
    CHECK_ERROR(ErrorCode::kInvalidArgument, "a view of 1 tokens", [] { KvState().View(1); });
    for (const char* device : {"gpu", "cuda:", "cuda:-1", "cuda:1x"}) {
      CHECK_ERROR(ErrorCode::kDeviceUnavailable, "there is no device",
                  [&] { Engine::Load(folder_.path(), {.device = device}); });
    }
    CHECK_ERROR(ErrorCode::kInvalidArgument, "fp8 need a GPU",
                [&] { Engine::Load(folder_.path(), {.device = "cpu", .kv = KvType::kFp8}); });
    for (const char* device : {"cpu", "auto"}) {
      if (device == std::string("auto") && HasCudaBackend()) continue;
      CHECK_ERROR(ErrorCode::kInvalidArgument, "weights in fp8 need a GPU", [&] {
        Engine::Load(folder_.path(), {.device = device, .weights = WeightType::kFp8});
      });
    }
    // By name, in a build without CUDA, with it but no driver, and on a machine with few GPUs.
    CHECK_ERROR(ErrorCode::kDeviceUnavailable, "device \"cuda:99\"",
                [&] { Engine::Load(folder_.path(), {.device = "cuda:99"}); });
    GenerateOptions options = Options(0);
    CHECK_ERROR(ErrorCode::kInvalidArgument, "maxTokens", [&] { Generate({}, tokens_, options); });
    CHECK_ERROR(ErrorCode::kQuestionTooLong, "exceed the model's 4096",
                [&] { Generate({}, std::vector<uint32_t>(4097, 1), Options(1)); });
    options = Options(4);
    options.sampling.temperature = -1;
    CHECK_ERROR(ErrorCode::kInvalidArgument, "temperature",
                [&] { Generate({}, tokens_, options); });
    options = Options(4);
    options.sampling.top_p = 0;
    CHECK_ERROR(ErrorCode::kInvalidArgument, "topP", [&] { Generate({}, tokens_, options); });
  }

  void ReportsProgress() {
    std::vector<int64_t> reported;
    engine_->Prefill({}, tokens_, 100, kNever, [&](int64_t done) { reported.push_back(done); });
    CHECK(!reported.empty() && reported.back() == 300);
    CHECK(std::is_sorted(reported.begin(), reported.end()));
    for (const int64_t chunk_end : {100, 200}) {
      CHECK(std::find(reported.begin(), reported.end(), chunk_end) != reported.end());
    }
    // Within a chunk, too.
    CHECK(reported.front() > 0 && reported.front() < 100);
  }

  void Cancels() {
    const int64_t before = engine_->kv_bytes();
    const std::atomic<bool> set{true};
    CHECK_ERROR(ErrorCode::kCancelled, "cancelled",
                [&] { engine_->Prefill({}, tokens_, 100, set, kSilent); });
    // From another thread, somewhere within a run that would take far longer.
    const std::vector<uint32_t> many(4096, 3);
    std::atomic<bool> cancel{false};
    std::chrono::steady_clock::time_point raised;
    std::thread raiser([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      raised = std::chrono::steady_clock::now();
      cancel = true;
    });
    bool cancelled = false;
    for (int round = 0; round < 1000 && !cancelled; ++round) {
      try {
        engine_->Prefill({}, many, 4096, cancel, kSilent);
      } catch (const Error& error) {
        cancelled = error.code() == ErrorCode::kCancelled;
      }
    }
    const auto latency = std::chrono::steady_clock::now() - raised;
    raiser.join();
    CHECK(cancelled);
    CHECK(latency < std::chrono::milliseconds(500));
    CHECK(engine_->kv_bytes() == before);

    // A generation keeps what was complete.
    cancel = false;
    int sampled = 0;
    const GenerateResult result = engine_->Generate({}, tokens_, Options(50), cancel,
                                                    [&](uint32_t) { cancel = ++sampled == 3; });
    CHECK(result.stop_reason == StopReason::kCancelled);
    CHECK(result.tokens.size() == 3 && result.kv.token_count() == 302);
  }

  void StopsWhereItShould() {
    const GenerateResult free_run = Generate({}, tokens_, Options(12));
    CHECK(free_run.stop_reason == StopReason::kMaxTokens && free_run.tokens.size() == 12);
    GenerateOptions options = Options(12);
    options.end_tokens = {free_run.tokens[4]};
    const auto first =
        std::find(free_run.tokens.begin(), free_run.tokens.end(), free_run.tokens[4]);
    const auto expected = first - free_run.tokens.begin() + 1;
    const GenerateResult ended = Generate({}, tokens_, options);
    CHECK(ended.stop_reason == StopReason::kEndToken);
    CHECK(static_cast<int64_t>(ended.tokens.size()) == expected);
    // The last sampled token is not in the state.
    CHECK(ended.kv.token_count() == 300 + expected - 1);

    // No room but for the token behind a full context.
    const std::vector<uint32_t> full(4096, 3);
    CHECK(Generate({}, full, Options(5)).tokens.size() == 1);

    // Continuing from the returned state equals one long run.
    GenerateResult half = Generate({}, tokens_, Options(6));
    const std::vector<uint32_t> last{half.tokens.back()};
    std::vector<uint32_t> joined = half.tokens;
    const GenerateResult rest = Generate(half.kv, last, Options(6));
    joined.insert(joined.end(), rest.tokens.begin(), rest.tokens.end());
    CHECK(joined == free_run.tokens);
  }

  void SamplesBySeed() {
    GenerateOptions options = Options(20);
    options.sampling = {.temperature = 1.5, .top_k = 50, .top_p = 0.95, .seed = 42};
    const std::vector<uint32_t> first = Generate({}, tokens_, options).tokens;
    CHECK(Generate({}, tokens_, options).tokens == first);
    options.sampling.seed = 43;
    CHECK(Generate({}, tokens_, options).tokens != first);
  }

  void AccountsForMemory() {
    const MemoryPlan plan = engine_->Plan(4000, 256).front();
    CHECK(plan.kv_bytes == 4000 * engine_->kv_layout().bytes_per_token());
    CHECK(engine_->kv_layout().bytes_per_token() == 4 * 2 * 2 * 16 * 2);
    CHECK(plan.required_bytes == plan.weights_bytes + plan.kv_bytes + plan.workspace_bytes);
    CHECK(plan.available_bytes > 0 && plan.workspace_bytes > 0);
    CHECK(engine_->Plan(4000, 512).front().workspace_bytes > plan.workspace_bytes);
    CHECK(PeakResidentBytes() > plan.weights_bytes);
    MemoryPlan tight = plan;
    tight.available_bytes = tight.required_bytes - 1;
    CHECK_ERROR(ErrorCode::kNotEnoughMemory, "4000 tokens need", [&] { RequireFit(tight, 4000); });
    tight.available_bytes = tight.required_bytes;
    RequireFit(tight, 4000);

    const int64_t before = engine_->kv_bytes();
    {
      const KvState prefix = engine_->Prefill({}, tokens_, 100, kNever, kSilent);
      const KvState fork = engine_->Prefill(prefix, tokens_, 100, kNever, kSilent);
      const KvState other = engine_->Prefill(prefix, tokens_, 100, kNever, kSilent);
      // Two conversations on one prefix hold it once.
      CHECK(engine_->kv_bytes() - before == 900 * engine_->kv_layout().bytes_per_token());
      CHECK(fork.parts()[0].segment == other.parts()[0].segment);
    }
    CHECK(engine_->kv_bytes() == before);
  }

 private:
  static GenerateOptions Options(int64_t max_tokens) {
    GenerateOptions options;
    options.max_tokens = max_tokens;
    options.chunk_tokens = 64;
    return options;
  }

  GenerateResult Generate(const KvState& base, const std::vector<uint32_t>& tokens,
                          const GenerateOptions& options) {
    return engine_->Generate(base, tokens, options, kNever, [](uint32_t) {});
  }

  TemporaryFolder folder_;
  std::unique_ptr<Engine> engine_;
  std::vector<uint32_t> tokens_;
};

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::EngineTest test;
  test.RefusesBadArguments();
  test.ReportsProgress();
  test.Cancels();
  test.StopsWhereItShould();
  test.SamplesBySeed();
  test.AccountsForMemory();
  return longsight::test::Finish("engine_test");
}

// What a prefill on the GPU tells of itself: figures that are collected behind the device's back
// must be the ones that waiting for each step would give.
#include <algorithm>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "cuda_device.h"
#include "engine/engine.h"
#include "engine/stopwatch.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};
const ForwardProgress kSilent = [](int64_t) {};
constexpr int64_t kTokens = 6000, kLayers = 3, kHeads = 4;

class CudaPrefillTest {
 public:
  CudaPrefillTest() {
    WriteLlama(folder_, CudaConfig(kLayers), {.max_context = 32768});
    std::string layers;
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      std::string heads;
      for (int64_t head = 0; head < kHeads; ++head) {
        heads +=
            (head > 0 ? ", \"" : "\"") + std::to_string(head) + R"(": ["stream_llm", 16, 256, 1])";
      }
      layers += (layer > 0 ? ", {" : "{") + heads + "}";
    }
    WriteFile(folder_.File("patterns.json"), "[" + layers + "]");
    sparse_.mode = PrefillMode::kSparse;
    sparse_.recall_floor = 0;
    sparse_.patterns = std::make_shared<HeadPatterns>(
        HeadPatterns::Read(folder_.File("patterns.json"), kLayers, kHeads));
    gpu_ = Engine::Load(folder_.path(), {.device = "cuda:0"});
    for (uint32_t i = 0; i < kTokens; ++i) tokens_.push_back((i * i * 37 + i) % 200);
  }

  // Every head of every chunk once; but the last layer's of which nothing is wanted.
  void CountsEveryHead() {
    const auto cpu = Engine::Load(folder_.path(), {.device = "cpu", .threads = 4});
    for (const int64_t chunk : {6000, 1000, 400}) {
      for (const PrefillMode mode : {PrefillMode::kDense, PrefillMode::kSparse}) {
        PrefillSettings settings = sparse_;
        settings.mode = mode;
        const PrefillReport gpu = Prefill(*gpu_, chunk, settings);
        const PrefillReport exact = Prefill(*cpu, chunk, settings);
        const std::string how =
            "chunks of " + std::to_string(chunk) + (gpu.sparse ? ", sparse" : ", dense");
        CHECK_WITH(gpu.sparse == (mode == PrefillMode::kSparse), how);
        CHECK_WITH(gpu.dense_pairs == exact.dense_pairs, how);
        // A head that is dense for one may be sparse for the other, at the start.
        CHECK_WITH(std::abs(gpu.recall_count - exact.recall_count) <= (kLayers - 1) * kHeads, how);
        if (!gpu.sparse) {
          CHECK_WITH(gpu.kept_pairs == gpu.dense_pairs && gpu.recall_least == 1, how);
          continue;
        }
        const int64_t chunks = (kTokens + chunk - 1) / chunk;
        CHECK_WITH(gpu.recall_count <= chunks * (kLayers - 1) * kHeads, how);
        // Row blocks are of another height there, so covers are a little wider.
        CHECK_WITH(std::abs(gpu.kept_pairs / exact.kept_pairs - 1) < 0.25, how);
        const auto mean = [](const PrefillReport& report) {
          return report.recall_sum / static_cast<double>(report.recall_count);
        };
        CHECK_WITH(std::abs(mean(gpu) - mean(exact)) < 0.1, how);
        CHECK_WITH(gpu.recall_least > 0 && gpu.recall_least <= mean(gpu), how);
      }
    }
  }

  // The device's own times: of something, and of no more than all.
  void TimesThePhases() {
    for (const PrefillMode mode : {PrefillMode::kDense, PrefillMode::kSparse}) {
      PrefillSettings settings = sparse_;
      settings.mode = mode;
      const Stopwatch watch;
      const PrefillReport report = Prefill(*gpu_, 1000, settings);
      const double all = watch.milliseconds();
      CHECK(report.attention_ms > 0);
      CHECK((report.index_ms > 0) == (mode == PrefillMode::kSparse));
      CHECK_WITH(report.attention_ms + report.index_ms <= all,
                 std::to_string(report.attention_ms) + " and " + std::to_string(report.index_ms) +
                     " of " + std::to_string(all) + " ms");
    }
  }

  // KV that goes to the machine's memory and comes back while the device computes for others: the
  // same to the last bit, in either type, and its memory is free meanwhile.
  void StowsBesidePrefill() {
    for (const DType type : {DType::kBF16, DType::kE4M3}) {
      PrefillSettings settings;
      settings.kv_type = type;
      const std::vector<uint32_t> question = {7, 9};
      const std::span<const uint32_t> all = tokens_;
      KvState state = gpu_->Prefill({}, all.first(4000), 1000, settings, kNever, kSilent).kv;
      state =
          gpu_->Prefill(state, all.subspan(4000), 1000, settings, kNever, kSilent).kv.View(5900);
      const std::vector<float> expected = gpu_->Logits(state, question, 8, kNever);
      const PrefillReport alone = Prefill(*gpu_, 1000, sparse_);
      std::thread mover([&] {
        for (int round = 0; round < 20; ++round) {
          const StowedKv stowed = gpu_->kv_store().Stow(state, int64_t{1} << 40);
          state = {};
          state = gpu_->Restore(stowed);
        }
      });
      const PrefillReport beside = Prefill(*gpu_, 1000, sparse_);
      mover.join();
      CHECK(beside.kept_pairs == alone.kept_pairs && beside.recall_count == alone.recall_count);
      CHECK(state.token_count() == 5900 && state.type() == type);
      CHECK(gpu_->kv_bytes() == state.bytes() && gpu_->kv_store().stowed_bytes() == 0);
      // Read in one piece or in two, sums are the same: segments stay what they were.
      CHECK(gpu_->Logits(state, question, 8, kNever) == expected);
    }
  }

  // Whatever a cancelled prefill left behind is in no later report, and harms nobody.
  void CancelledOnesAreForgotten() {
    const PrefillReport whole = Prefill(*gpu_, 1000, sparse_);
    for (const int64_t after : {1, 900, 1100, 3500}) {
      std::atomic<bool> cancel{false};
      int64_t told = 0;
      CHECK_ERROR(ErrorCode::kCancelled, "cancelled", [&] {
        gpu_->Prefill({}, tokens_, 1000, sparse_, cancel, [&](int64_t done) {
          CHECK(!cancel && done >= told);
          told = done;
          cancel = done >= after;
        });
      });
      CHECK(told >= after && told < kTokens);
      CHECK(gpu_->kv_bytes() == 0);
      const PrefillReport again = Prefill(*gpu_, 1000, sparse_);
      CHECK(again.kept_pairs == whole.kept_pairs && again.recall_count == whole.recall_count);
      CHECK(std::abs(again.recall_sum - whole.recall_sum) < 1e-3 * whole.recall_sum);
    }
  }

 private:
  PrefillReport Prefill(Engine& engine, int64_t chunk, const PrefillSettings& settings) {
    return engine.Prefill({}, tokens_, chunk, settings, kNever, kSilent).report;
  }

  TemporaryFolder folder_;
  PrefillSettings sparse_;
  std::unique_ptr<Engine> gpu_;
  std::vector<uint32_t> tokens_;
};

}  // namespace
}  // namespace longsight::test

int main() {
  using namespace longsight::test;
  if (!HasDevice()) return kNoDevice;
  CudaPrefillTest test;
  test.CountsEveryHead();
  test.TimesThePhases();
  test.CancelledOnesAreForgotten();
  test.StowsBesidePrefill();
  return Finish("cuda_prefill_test");
}

// How a prefill keeps pace with a device that works by itself: where it waits, what it reports
// meanwhile, how it is cancelled, and that times and heads are collected once.
#include <algorithm>
#include <string>
#include <vector>

#include "check.h"
#include "engine/engine.h"
#include "engine/forwarding_backend.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

const ForwardProgress kSilent = [](int64_t) {};
constexpr int64_t kLayers = 4;

const reference::Config kConfig = SmallConfig(kLayers);
// For every head of every layer.
const char* const kNarrow = R"({"0": ["stream_llm", 1, 64, 1], "1": ["stream_llm", 1, 64, 1],
                               "2": ["stream_llm", 1, 64, 1], "3": ["stream_llm", 1, 64, 1]})";

// Says, as a GPU does, that the last half layer is still under way, and writes down what it is
// asked.
class WatchedBackend final : public ForwardingBackend {
 public:
  explicit WatchedBackend(std::string& calls)
      : ForwardingBackend(MakeCpuBackend(2, true)), calls_(calls) {}

  void Embed(const Tensor& table, const uint32_t* ids, int64_t rows, Rows y) override {
    calls_ += 'e';
    ForwardingBackend::Embed(table, ids, rows, y);
  }
  void Attend(const DecoderSpec& spec, const AttentionCall& call) override {
    calls_ += 'a';
    ForwardingBackend::Attend(spec, call);
  }
  void AttendSparse(const DecoderSpec& spec, const SparseCall& call) override {
    calls_ += 's';
    ForwardingBackend::AttendSparse(spec, call);
  }
  void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) override {
    calls_ += 'm';
    ForwardingBackend::SwiGlu(gate, up, rows, n);
  }
  void Mark(Phase phase) override {
    calls_ += phase == Phase::kAttention ? '(' : phase == Phase::kOther ? ')' : 'i';
    ForwardingBackend::Mark(phase);
  }
  bool Pace() override {
    calls_ += 'p';
    ForwardingBackend::Pace();
    return false;
  }
  void Collect(PrefillReport& report) override {
    calls_ += 'c';
    ForwardingBackend::Collect(report);
  }
  void Wait() override {
    calls_ += 'w';
    ForwardingBackend::Wait();
  }

 private:
  std::string& calls_;
};

class PacingTest {
 public:
  PacingTest() {
    WriteLlama(folder_, kConfig);
    engine_ = std::make_unique<Engine>(LoadModel(folder_.path()),
                                       std::make_unique<WatchedBackend>(calls_), Precision::kF32);
    for (uint32_t i = 0; i < 1200; ++i) tokens_.push_back(i * 37 % 200);
    std::string layers;
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      layers += (layer > 0 ? ", " : "") + std::string(kNarrow);
    }
    WriteFile(folder_.File("patterns.json"), "[" + layers + "]");
    narrow_ = std::make_shared<HeadPatterns>(
        HeadPatterns::Read(folder_.File("patterns.json"), kLayers, kConfig.heads));
  }

  // Within a chunk it paces itself by half layers, and waits at its end alone. Of the last layer
  // only K and V are wanted. A chunk of few rows is not worth pacing.
  void WaitsForNothingWithinAChunk() {
    Prefill(1200, 600, PrefillMode::kDense);
    const std::string layer = "(a)pmmp", embedded = "ee";  // blocks of 512 rows
    const std::string chunk = embedded + layer + layer + layer + "w";
    CHECK_WITH(calls_ == chunk + chunk + "c", calls_);
    Prefill(700, 600, PrefillMode::kDense);
    CHECK_WITH(calls_ == chunk + "e(a)m(a)m(a)mw" + "c", calls_);
    Prefill(600, 600, PrefillMode::kSparse);
    CHECK_WITH(calls_ == embedded + "spmmpspmmpspmmpw" + "c", calls_);
    // Without a report nothing is timed.
    calls_.clear();
    engine_->Logits({}, std::span(tokens_).first(600), 600, never_);
    const std::string silent = "apmmp";
    CHECK_WITH(calls_ == embedded + silent + silent + silent + "apmp" + "w", calls_);
  }

  // What the device has not done yet is not reported.
  void ReportsWhatIsDone() {
    std::vector<int64_t> told;
    Prefill(1200, 600, PrefillMode::kDense, [&](int64_t done) { told.push_back(done); });
    CHECK((told == std::vector<int64_t>{0, 120, 240, 600, 600, 720, 840, 1200}));
  }

  // Within half a layer; and what was under way is waited for before its memory goes, and left out
  // of the next report.
  void CancelsAtOnce() {
    Prefill(1200, 600, PrefillMode::kDense);
    const PrefillReport whole = report_;
    for (int64_t after = 0; after < 7; ++after) {
      int64_t told = 0;
      std::atomic<bool> cancel{false};
      size_t calls_then = 0;
      calls_.clear();
      CHECK_ERROR(ErrorCode::kCancelled, "cancelled", [&] {
        Prefill(
            1200, 600, PrefillMode::kDense,
            [&](int64_t) {
              if (told++ != after) return;
              cancel = true;
              calls_then = calls_.size();
            },
            cancel);
      });
      CHECK_WITH(calls_.substr(calls_then) == "c", calls_);
      CHECK(engine_->kv_bytes() == 0);
      Prefill(1200, 600, PrefillMode::kDense);
      CHECK(report_.dense_pairs == whole.dense_pairs && report_.kept_pairs == whole.kept_pairs);
    }
    // A sparse one that was cancelled between two heads' reports.
    Prefill(1200, 600, PrefillMode::kSparse);
    const int64_t heads = report_.recall_count;
    std::atomic<bool> cancel{false};
    CHECK_ERROR(ErrorCode::kCancelled, "cancelled", [&] {
      Prefill(1200, 600, PrefillMode::kSparse, [&](int64_t done) { cancel = done > 200; }, cancel);
    });
    Prefill(1200, 600, PrefillMode::kSparse);
    CHECK(heads > 0 && report_.recall_count == heads);
  }

 private:
  void Prefill(int64_t count, int64_t chunk, PrefillMode mode,
               const ForwardProgress& progress = kSilent) {
    Prefill(count, chunk, mode, progress, never_);
  }
  void Prefill(int64_t count, int64_t chunk, PrefillMode mode, const ForwardProgress& progress,
               const std::atomic<bool>& cancel) {
    calls_.clear();
    PrefillSettings settings;
    settings.mode = mode;
    settings.recall_floor = 0;
    settings.patterns = narrow_;
    report_ = engine_
                  ->Prefill({}, std::span(tokens_).first(static_cast<size_t>(count)), chunk,
                            settings, cancel, progress)
                  .report;
  }

  const std::atomic<bool> never_{false};
  TemporaryFolder folder_;
  std::string calls_;
  std::unique_ptr<Engine> engine_;
  std::vector<uint32_t> tokens_;
  std::shared_ptr<HeadPatterns> narrow_;
  PrefillReport report_;
};

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::PacingTest test;
  test.WaitsForNothingWithinAChunk();
  test.ReportsWhatIsDone();
  test.CancelsAtOnce();
  return longsight::test::Finish("pacing_test");
}

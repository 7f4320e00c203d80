// Whole models on the GPU against the exact CPU engine: logits of the models in test/golden,
// however the tokens are brought in.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "check.h"
#include "cuda_device.h"
#include "draws_twice_backend.h"
#include "engine/engine.h"
#include "fp8_rounding_backend.h"
#include "limited_backend.h"
#include "reference/tensor_reader.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};
const ForwardProgress kSilent = [](int64_t) {};

// The GPU's error may be so many times what rounding alone comes to at the same position, or that
// at a position that rounding happens to spare.
constexpr double kTimesRounding = 2;
constexpr double kAnyway = 0.02;
constexpr double kFp8Error = 0.1;
// Root of the mean square over positions and chunks, against that of the CPU's rounding.
constexpr double kTimesFp8Rounding = 1.6;

// Root of the mean square of the difference, as a share of that of `exact`. NaN stays NaN.
double ErrorOf(const std::vector<float>& logits, const std::vector<float>& exact) {
  double error = 0, size = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double e = static_cast<double>(exact[i]), d = static_cast<double>(logits[i]) - e;
    error += d * d;
    size += e * e;
  }
  return std::sqrt(error / size);
}

class CudaModel {
 public:
  CudaModel(const std::string& root, const std::string& name)
      : dir_(root + "/" + name),
        name_(name),
        gpu_(Engine::Load(root + "/" + name, {.device = "cuda:0"})),
        cpu_(Engine::Load(root + "/" + name,
                          {.device = "cpu", .threads = 2, .precision = Precision::kF32})),
        rounding_(LoadModel(root + "/" + name), std::make_unique<RoundingBackend>(),
                  Precision::kBf16) {
    const auto golden = reference::ReadTensors(root + "/" + name + "/golden.safetensors");
    for (const double id : golden.at("input_ids").values) {
      tokens_.push_back(static_cast<uint32_t>(id));
    }
    golden_ = golden.at("logits").values;
  }

  // `quick`: every kernel, few times.
  void RunAll(bool quick) {
    if (quick) {
      Compare(gpu_->Logits({}, Tokens(0, 63), 40, kNever), 63, "prompt in chunks of 40");
      ForksAndViews();
      Generates();
      Evidence();
      Fp8();
      Fp8Weights();
      return;
    }
    for (const int64_t chunk : {160, 64, 7, 1}) {
      for (const int64_t count : {1, 5, 63, 160}) {
        Compare(gpu_->Logits({}, Tokens(0, count), chunk, kNever), count,
                "prompt in chunks of " + std::to_string(chunk));
      }
    }
    Golden();
    StepByStep();
    ForksAndViews();
    Generates();
    DrawsAsTheHostDoes();
    Evidence();
    Steps(*gpu_, 3 * std::max(kAnyway, worst_rounding_));
    Fp8();
    Fp8Weights();
    ShortOfMemory();
    std::printf("%s: off by up to %.4f of the logits' size; rounding alone: %.4f\n", name_.c_str(),
                worst_, worst_rounding_);
  }

 private:
  std::span<const uint32_t> Tokens(int64_t begin, int64_t end) const {
    return std::span(tokens_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  }

  struct Truth {
    std::vector<float> exact;
    double rounding;  // the error that rounding alone comes to
  };

  // The CPU's logits after the first `count` tokens.
  const Truth& After(int64_t count) {
    const auto known = truths_.find(count);
    if (known != truths_.end()) return known->second;
    Truth truth = {cpu_->Logits({}, Tokens(0, count), 160, kNever), 0};
    truth.rounding = ErrorOf(rounding_.Logits({}, Tokens(0, count), 160, kNever), truth.exact);
    return truths_.emplace(count, std::move(truth)).first->second;
  }

  void Compare(const std::vector<float>& logits, int64_t count, const std::string& how) {
    const Truth& truth = After(count);
    const double error = ErrorOf(logits, truth.exact);
    worst_ = std::max(worst_, error);
    worst_rounding_ = std::max(worst_rounding_, truth.rounding);
    // Written so that NaN fails.
    CHECK_WITH(error <= std::max(kAnyway, kTimesRounding * truth.rounding),
               name_ + ", " + how + ", " + std::to_string(count) + " tokens: off by " +
                   std::to_string(error) + ", rounding alone by " + std::to_string(truth.rounding));
  }

  // Against transformers' own logits, which the file holds at every fourth position.
  void Golden() {
    constexpr int64_t kStride = 4;
    for (int64_t position = 0; position < 160; position += 5 * kStride) {
      const std::vector<float> logits = gpu_->Logits({}, Tokens(0, position + 1), 64, kNever);
      const auto first = golden_.begin() + position / kStride * static_cast<int64_t>(logits.size());
      const std::vector<float> golden(first, first + static_cast<int64_t>(logits.size()));
      const double error = ErrorOf(logits, golden);
      CHECK_WITH(error <= std::max(kAnyway, kTimesRounding * After(position + 1).rounding),
                 name_ + ", position " + std::to_string(position) + ": off from transformers by " +
                     std::to_string(error));
    }
  }

  // Each token in a segment of its own: the longest list of segments.
  void StepByStep() {
    KvState state;
    for (int64_t position = 0; position < 160; ++position) {
      const auto token = Tokens(position, position + 1);
      if (position % 40 == 39) {
        Compare(gpu_->Logits(state, token, 1, kNever), position + 1, "step by step");
      }
      state = gpu_->Prefill(state, token, 1, kNever, kSilent);
    }
    CHECK(state.token_count() == 160);
  }

  void ForksAndViews() {
    const KvState prefix = gpu_->Prefill({}, Tokens(0, 100), 32, kNever, kSilent);
    const std::vector<uint32_t> other(20, 5);
    const KvState detour = gpu_->Prefill(prefix, other, 20, kNever, kSilent);
    const KvState longer = gpu_->Prefill(prefix, Tokens(100, 140), 40, kNever, kSilent);
    Compare(gpu_->Logits(longer, Tokens(140, 157), 64, kNever), 157, "forked");
    Compare(gpu_->Logits(longer.View(120), Tokens(120, 129), 64, kNever), 129, "view");
    Compare(gpu_->Logits(detour.View(100), Tokens(100, 101), 64, kNever), 101, "view back");
    const int64_t held = 100 + 20 + 40;
    CHECK(gpu_->kv_bytes() == held * gpu_->kv_layout().bytes_per_token());
  }

  void Generates() {
    GenerateOptions options;
    options.max_tokens = 8;
    options.chunk_tokens = 64;
    const GenerateResult first = gpu_->Generate({}, tokens_, options, kNever, [](uint32_t) {});
    const KvState prefix = gpu_->Prefill({}, Tokens(0, 130), 50, kNever, kSilent);
    const GenerateResult second =
        gpu_->Generate(prefix, Tokens(130, 160), options, kNever, [](uint32_t) {});
    CHECK(first.tokens.size() == 8 && second.tokens.size() == 8);
    // Drawn on the device as here from the same logits, and the same seed gives the same tokens.
    const std::vector<float> logits = gpu_->Logits({}, tokens_, 64, kNever);
    CHECK(first.tokens[0] == SampleToken(logits, {}));
    options.sampling = {.temperature = 1, .top_p = 0.9, .seed = 11};
    const auto draw = [&] {
      return gpu_->Generate({}, tokens_, options, kNever, [](uint32_t) {}).tokens;
    };
    const std::vector<uint32_t> drawn = draw();
    CHECK(draw() == drawn);
    CHECK(drawn[0] == SampleToken(logits, Sampler(options.sampling).Next()));
    options.sampling.seed = 12;
    const std::vector<uint32_t> other = draw();
    options.sampling.temperature = 1e-6;  // as good as greedy
    CHECK(draw()[0] == first.tokens[0] && other.size() == 8);
    // What was sampled is what the CPU's logits rank highest, or as good as that.
    const std::vector<float>& exact = After(160).exact;
    const float best = *std::max_element(exact.begin(), exact.end());
    for (const GenerateResult* result : {&first, &second}) {
      CHECK_WITH(exact[result->tokens[0]] >= best - 0.05f * std::abs(best),
                 name_ + ": sampled a token that the CPU ranks low");
    }
  }

  // Every token of a generation is the one that the host draws from the device's logits.
  void DrawsAsTheHostDoes() {
    int64_t draws = 0;
    Engine engine(LoadModel(dir_), std::make_unique<DrawsTwiceBackend>(draws), Precision::kBf16);
    GenerateOptions options;
    options.max_tokens = 25;
    options.chunk_tokens = 64;
    for (const SamplingOptions& sampling :
         {SamplingOptions{}, SamplingOptions{.temperature = 1, .seed = 3},
          SamplingOptions{.temperature = 5, .top_k = 40, .top_p = 0.8, .seed = 4}}) {
      options.sampling = sampling;
      engine.Generate({}, tokens_, options, kNever, [](uint32_t) {});
    }
    CHECK(draws == 3 * 25);
  }

  // Recorded steps leave the same keys and values as a prompt does, beyond where a recording ends.
  void Steps(Engine& engine, double allowed) {
    GenerateOptions options;
    options.max_tokens = 300;
    options.chunk_tokens = 64;
    const GenerateResult first =
        engine.Generate({}, Tokens(0, 100), options, kNever, [](uint32_t) {});
    // A second one, whose graph is the first one's brought up to date.
    const KvState prefix = engine.Prefill({}, Tokens(0, 60), 50, kNever, kSilent);
    const GenerateResult second =
        engine.Generate(prefix, Tokens(60, 100), options, kNever, [](uint32_t) {});
    for (const GenerateResult* result : {&first, &second}) {
      CHECK(result->tokens.size() == 300 && result->kv.token_count() == 399);
      std::vector<uint32_t> all(tokens_.begin(), tokens_.begin() + 100);
      all.insert(all.end(), result->tokens.begin(), result->tokens.end());
      for (const int64_t count : {102, 150, 400}) {
        const auto last = std::span(all).subspan(static_cast<size_t>(count - 1), 1);
        const std::vector<float> exact =
            cpu_->Logits({}, std::span(all).first(static_cast<size_t>(count)), 400, kNever);
        const std::vector<float> logits =
            engine.Logits(result->kv.View(count - 1), last, 64, kNever);
        const double error = ErrorOf(logits, exact);
        CHECK_WITH(error <= allowed, name_ + ", recorded steps, " + std::to_string(count) +
                                         " tokens: off by " + std::to_string(error));
      }
    }
  }

  // Where the first token's attention lay, as the CPU tells it.
  void Evidence() {
    GenerateOptions options;
    options.max_tokens = 1;
    options.chunk_tokens = 64;
    options.evidence_ends = {4, 20, 20, 77, 100, 120};
    const auto evidence = [&](Engine& engine) {
      const KvState prefix = engine.Prefill({}, Tokens(0, 120), 50, kNever, kSilent);
      return engine.Generate(prefix, Tokens(120, 160), options, kNever, [](uint32_t) {}).evidence;
    };
    const EvidenceShares got = evidence(*gpu_), exact = evidence(*cpu_);
    CHECK(got.shares.size() == exact.shares.size() && got.shares.size() == 6);
    CHECK(std::abs(got.mass - exact.mass) < 0.02);
    for (size_t i = 0; i < exact.shares.size(); ++i) {
      CHECK_WITH(std::abs(got.shares[i] - exact.shares[i]) < 0.03,
                 name_ + ", evidence of span " + std::to_string(i) + ": " +
                     std::to_string(got.shares[i]) + ", not " + std::to_string(exact.shares[i]));
    }
  }

  // Half the memory, and near: e4m3 moves a key by up to a sixteenth. Beside bf16 in one engine.
  void Fp8() {
    if (gpu_->model().spec.head_size % 16 != 0) return;
    const KvState wide = gpu_->Prefill({}, Tokens(0, 100), 32, kNever, kSilent);
    PrefillSettings settings;
    settings.kv_type = DType::kE4M3;
    const KvState prefix = gpu_->Prefill({}, Tokens(0, 100), 32, settings, kNever, kSilent).kv;
    CHECK(wide.type() == DType::kBF16 && prefix.type() == DType::kE4M3);
    CHECK(prefix.bytes() < wide.bytes() * 5 / 8);
    // What is behind it is of its type, whatever is asked for.
    settings.kv_type = DType::kBF16;
    const KvState longer =
        gpu_->Prefill(prefix, Tokens(100, 120), 32, settings, kNever, kSilent).kv;
    CHECK(longer.parts().size() == 2 && longer.parts()[1].segment->layout().type == DType::kE4M3);
    const double error =
        ErrorOf(gpu_->Logits(longer, Tokens(120, 160), 64, kNever), After(160).exact);
    CHECK_WITH(error <= kFp8Error, name_ + ", fp8: off by " + std::to_string(error));
    std::printf("%s: with fp8 KV off by %.4f\n", name_.c_str(), error);
    Compare(gpu_->Logits(wide, Tokens(100, 157), 64, kNever), 157, "beside fp8");
    // Where fp8 is demanded, all is of it.
    const auto narrow = Engine::Load(dir_, {.device = "cuda:0", .kv = KvType::kFp8});
    CHECK(narrow->kv_layout().type == DType::kE4M3);
    Steps(*narrow, kFp8Error + 3 * std::max(kAnyway, worst_rounding_));
  }

  // With memory for the last way alone: what is planned fits, and what is before it in the plan
  // does not. At length fp8 is the last; of few tokens it takes more, since some must be widened.
  void ShortOfMemory() {
    Limits limits;
    Engine engine(LoadModel(dir_), std::make_unique<LimitedBackend>(MakeCudaBackend(0), limits),
                  Precision::kBf16);
    const std::vector<MemoryPlan> choices = engine.Plan(160, 64);
    CHECK(!choices.empty());
    const DecoderSpec& spec = gpu_->model().spec;
    if (spec.max_context >= 131072 && spec.head_size % 16 == 0) {
      CHECK(engine.Plan(131072, 64).back().kv_type == DType::kE4M3);
    }
    limits.available = choices.back().required_bytes;
    PrefillSettings settings;
    for (const MemoryPlan& plan : choices) {
      settings.kv_type = plan.kv_type;
      const auto prefill = [&] {
        return engine.Prefill({}, Tokens(0, 160), plan.chunk_tokens, settings, kNever, kSilent).kv;
      };
      if (&plan == &choices.back()) {
        CHECK(prefill().type() == plan.kv_type);
      } else {
        CHECK_ERROR(ErrorCode::kNotEnoughMemory, "160 tokens need", prefill);
      }
    }
  }

  // A byte for each weight of a linear layer. Of few rows the weights alone are rounded: the same
  // logits as the CPU's with those weights, which are four times as far from the exact ones or
  // more. Of more rows each is rounded too, and a bit of bf16 tips values over to the next e4m3
  // (two CPU engines that differ in bf16 alone are 0.6 to 1.2 times as far from each other as from
  // the exact one): as far off as rounding is, over all of them.
  void Fp8Weights() {
    const auto engine = Engine::Load(dir_, {.device = "cuda:0", .weights = WeightType::kFp8});
    Engine rounding(LoadModel(dir_), std::make_unique<Fp8RoundingBackend>(), Precision::kBf16);
    CHECK(gpu_->model().weights_bytes - engine->model().weights_bytes == SavedBytes(gpu_->model()));
    double many = 0, many_rounding = 0, few = 0;
    for (const int64_t count : {5, 160}) {
      const Truth& truth = After(count);
      const std::vector<float> stepped = engine->Logits({}, Tokens(0, count), 3, kNever);
      const double apart = ErrorOf(stepped, rounding.Logits({}, Tokens(0, count), 3, kNever));
      few = std::max(few, apart);
      // Both round to bf16 in the same places, and differ in what is rounded.
      CHECK_WITH(apart <= 1.5 * std::max(kAnyway, kTimesRounding * truth.rounding),
                 name_ + ", fp8 weights, " + std::to_string(count) +
                     " tokens: " + std::to_string(apart) + " from the CPU's with such weights");
      for (const int64_t chunk : {160, 7}) {
        const auto off = [&](Engine& of) {
          return ErrorOf(of.Logits({}, Tokens(0, count), chunk, kNever), truth.exact);
        };
        const double gpu = off(*engine), cpu = off(rounding);
        many += gpu * gpu;
        many_rounding += cpu * cpu;
      }
    }
    many = std::sqrt(many / 4);
    many_rounding = std::sqrt(many_rounding / 4);
    std::printf("%s: with fp8 weights off by %.4f (rounding: %.4f); token by token %.4f from it\n",
                name_.c_str(), many, many_rounding, few);
    CHECK_WITH(many <= kTimesFp8Rounding * many_rounding,
               name_ + ", fp8 weights: off by " + std::to_string(many));
    // Less would be another product than was asked for.
    CHECK_WITH(many >= many_rounding / kTimesFp8Rounding || !MultipliesFp8(),
               name_ + ", fp8 weights: off by no more than " + std::to_string(many));
  }

  bool MultipliesFp8() const { return gpu_->backend().instruction_set() == "sm_90"; }

  static int64_t SavedBytes(const Model& model) {
    int64_t saved = 0;
    for (const LayerWeights& layer : model.layers) {
      for (const Linear* l : {&layer.query, &layer.key, &layer.value, &layer.output, &layer.gate,
                              &layer.up, &layer.down}) {
        // bf16 less e4m3 and a scale for each row.
        saved += l->weight.size() - l->weight.shape[0] * 4;
      }
    }
    return saved;
  }

  std::string dir_;
  std::string name_;
  std::unique_ptr<Engine> gpu_, cpu_;
  Engine rounding_;
  std::vector<uint32_t> tokens_;
  std::vector<double> golden_;  // logits
  std::map<int64_t, Truth> truths_;
  double worst_ = 0, worst_rounding_ = 0;
};

void Refusals(const std::string& model) {
  CHECK_ERROR(ErrorCode::kDeviceUnavailable, "cuda:99",
              [&] { Engine::Load(model, {.device = "cuda:99"}); });
  CHECK_ERROR(ErrorCode::kDeviceUnavailable, "bf16",
              [&] { Engine::Load(model, {.device = "cuda:0", .precision = Precision::kF32}); });
  CHECK(Engine::Load(model, {.device = "auto"})->backend().device() == "cuda:0");
  const auto backend = MakeCudaBackend(0);
  CHECK_ERROR(ErrorCode::kNotEnoughMemory, "for the KV cache",
              [&] { backend->Allocate(backend->device_bytes() + 1, "the KV cache"); });
  // A refusal is no lasting harm.
  CHECK(backend->Allocate(1 << 20, "a test") != nullptr);
}

}  // namespace
}  // namespace longsight::test

// cuda_model_test DIR NAME... [--quick]   (--quick: for the sanitizer)
int main(int argc, char** argv) {
  using namespace longsight::test;
  if (!HasDevice()) return kNoDevice;
  const bool quick = std::string(argv[argc - 1]) == "--quick";
  if (!quick) Refusals(std::string(argv[1]) + "/" + argv[2]);
  for (int i = 2; i < argc - (quick ? 1 : 0); ++i) CudaModel(argv[1], argv[i]).RunAll(quick);
  return Finish("cuda_model_test");
}

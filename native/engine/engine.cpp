#include "engine/engine.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/stopwatch.h"
#include "engine/workspace.h"

namespace longsight {
namespace {

// The number in "cuda:N"; 0 for "cuda"; -1 for anything else.
int CudaDevice(const std::string& device) {
  if (device == "cuda") return 0;
  const std::string prefix = "cuda:";
  int number = -1;
  if (!device.starts_with(prefix)) return -1;
  const char* const end = device.data() + device.size();
  const auto [rest, error] = std::from_chars(device.data() + prefix.size(), end, number);
  return error == std::errc() && rest == end && number >= 0 ? number : -1;
}

// What the KV of a new prefix may be, the best first.
std::vector<DType> KvTypes(const Backend& backend, Precision precision, KvType kv,
                           const DecoderSpec& spec) {
  if (precision == Precision::kF32) return {DType::kF32};
  if (kv == KvType::kBf16) return {DType::kBF16};
  // Vectors of 16 bytes.
  const bool fits = spec.head_size % 16 == 0;
  const bool on_gpu = backend.activation_type() == DType::kBF16;
  if (kv == KvType::kAuto) {
    if (fits && on_gpu) return {DType::kBF16, DType::kE4M3};
    return {DType::kBF16};
  }
  if (!on_gpu) {
    throw Error(ErrorCode::kInvalidArgument,
                "keys and values in fp8 need a GPU, not device \"" + backend.device() + "\"");
  }
  if (!fits) {
    throw Error(ErrorCode::kInvalidArgument,
                "keys and values in fp8 need a head size that is a multiple of 16, and this "
                "model's is " +
                    std::to_string(spec.head_size));
  }
  return {DType::kE4M3};
}

void CheckChunk(int64_t chunk_tokens) {
  if (chunk_tokens < 1) {
    throw Error(ErrorCode::kInvalidArgument, "chunkTokens must be at least 1");
  }
}

}  // namespace

std::unique_ptr<Backend> MakeBackend(const EngineOptions& options) {
  const bool exact = options.precision == Precision::kF32;
  const auto cpu = [&] {
    if (options.weights == WeightType::kFp8) {
      throw Error(ErrorCode::kInvalidArgument, "weights in fp8 need a GPU, not device \"cpu\"");
    }
    return MakeCpuBackend(options.threads, exact);
  };
  if (options.device == "cpu") return cpu();
  if (options.device == "auto") {
    if (exact || !HasCudaBackend()) return cpu();
    try {
      return MakeCudaBackend(0, options.weights);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kDeviceUnavailable) throw;
      return cpu();
    }
  }
  const int device = CudaDevice(options.device);
  if (device < 0) {
    throw Error(ErrorCode::kDeviceUnavailable,
                "there is no device \"" + options.device + "\"; auto, cpu, cuda and cuda:N are");
  }
  if (exact && HasCudaBackend()) {
    throw Error(ErrorCode::kDeviceUnavailable,
                "device \"" + options.device + "\" computes in bf16; precision f32 needs \"cpu\"");
  }
  return MakeCudaBackend(device, options.weights);
}

std::unique_ptr<Engine> Engine::Load(const std::string& model_dir, const EngineOptions& options) {
  std::unique_ptr<Backend> backend = MakeBackend(options);
  return std::make_unique<Engine>(LoadModel(model_dir), std::move(backend), options.precision,
                                  options.kv);
}

Engine::Engine(Model model, std::unique_ptr<Backend> backend, Precision precision, KvType kv)
    : model_(std::move(model)),
      backend_(std::move(backend)),
      kv_account_(std::make_shared<std::atomic<int64_t>>(0)),
      kv_store_(*backend_) {
  const DecoderSpec& spec = model_.spec;
  for (const DType type : KvTypes(*backend_, precision, kv, spec)) {
    kv_layouts_.push_back({spec.layer_count(), spec.kv_heads, spec.head_size, type});
  }
  model_.weights_bytes = backend_->TakeWeights(model_);
}

const KvLayout& Engine::LayoutOf(DType kv_type) const {
  const auto layout = std::ranges::find(kv_layouts_, kv_type, &KvLayout::type);
  if (layout == kv_layouts_.end()) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string("kv: this engine keeps no keys and values in ") + DTypeName(kv_type));
  }
  return *layout;
}

std::vector<MemoryPlan> Engine::Plan(int64_t context_tokens, int64_t chunk_tokens,
                                     int64_t held_tokens, std::optional<DType> kv_type) const {
  CheckChunk(chunk_tokens);
  if (context_tokens < 0 || context_tokens > model_.spec.max_context) {
    throw Error(ErrorCode::kInvalidArgument, "contextTokens must be from 0 to " +
                                                 std::to_string(model_.spec.max_context) +
                                                 ", the model's longest context");
  }
  if (held_tokens < 0 || held_tokens > context_tokens) {
    throw Error(ErrorCode::kInvalidArgument, "heldTokens must be from 0 to contextTokens");
  }
  std::span<const KvLayout> layouts = kv_layouts_;
  if (kv_type) layouts = {&LayoutOf(*kv_type), 1};
  return PlanChoices(model_, *backend_, layouts, held_tokens, context_tokens - held_tokens,
                     chunk_tokens);
}

void Engine::CheckTokens(const KvState& base, std::span<const uint32_t> tokens, int64_t new_tokens,
                         int64_t chunk_tokens, ErrorCode too_long) const {
  CheckChunk(chunk_tokens);
  if (tokens.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "tokens must hold at least one token");
  }
  const DecoderSpec& spec = model_.spec;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= spec.vocabulary) {
      throw Error(ErrorCode::kInvalidArgument,
                  "tokens[" + std::to_string(i) + "] is " + std::to_string(tokens[i]) +
                      ", but the vocabulary has " + std::to_string(spec.vocabulary) + " tokens");
    }
  }
  if (new_tokens > spec.max_context - base.token_count()) {
    throw Error(too_long, std::to_string(base.token_count()) + " tokens in the context and " +
                              std::to_string(new_tokens) + " new ones exceed the model's " +
                              std::to_string(spec.max_context));
  }
}

std::shared_ptr<KvSegment> Engine::NewSegment(const KvState& base, std::optional<DType> kv_type,
                                              int64_t capacity, int64_t chunk_tokens,
                                              int64_t more_bytes) {
  const int64_t held = base.token_count();
  const KvLayout& layout = LayoutOf(base.type().value_or(kv_type.value_or(kv_layout().type)));
  MemoryPlan plan = PlanMemory(model_, *backend_, layout, held, capacity, chunk_tokens);
  plan.workspace_bytes += more_bytes;
  plan.required_bytes += more_bytes;
  RequireFit(plan, capacity);
  return std::make_shared<KvSegment>(layout, held, capacity,
                                     backend_->Allocate(layout.bytes(capacity), "the KV cache"),
                                     kv_account_);
}

KvState Engine::Prefill(const KvState& base, std::span<const uint32_t> tokens, int64_t chunk_tokens,
                        const std::atomic<bool>& cancel, const ForwardProgress& progress) {
  return Prefill(base, tokens, chunk_tokens, PrefillSettings{}, cancel, progress).kv;
}

PrefillResult Engine::Prefill(const KvState& base, std::span<const uint32_t> tokens,
                              int64_t chunk_tokens, const PrefillSettings& settings,
                              const std::atomic<bool>& cancel, const ForwardProgress& progress) {
  const auto count = static_cast<int64_t>(tokens.size());
  CheckTokens(base, tokens, count, chunk_tokens, ErrorCode::kOverBudget);
  std::shared_ptr<KvSegment> segment = NewSegment(base, settings.kv_type, count, chunk_tokens);
  Workspace workspace(model_.spec, *backend_, std::min(chunk_tokens, count));
  PrefillResult result;
  if (settings.mode != PrefillMode::kDense) {
    backend_->ReserveSparse(model_.spec, workspace.chunk(), base.token_count() + count);
  }
  Decoder decoder(model_, *backend_);
  decoder.SetPrefill(settings, result.report);
  decoder.Forward(base, *segment, tokens, workspace, cancel, progress, {});
  result.kv = base.Append(std::move(segment));
  return result;
}

PatternScores Engine::TryPatterns(std::span<const uint32_t> tokens, int64_t chunk_tokens,
                                  const PatternTrial& trial, const std::atomic<bool>& cancel,
                                  const ForwardProgress& progress) {
  const auto count = static_cast<int64_t>(tokens.size());
  CheckTokens({}, tokens, count, chunk_tokens, ErrorCode::kOverBudget);
  const int64_t rows = std::min(chunk_tokens, count);
  const std::shared_ptr<KvSegment> segment = NewSegment(
      {}, std::nullopt, count, chunk_tokens, PatternSearch::Bytes(model_.spec, *backend_, rows));
  Workspace workspace(model_.spec, *backend_, rows);
  backend_->ReserveSparse(model_.spec, rows, count);
  PatternSearch search(model_.spec, *backend_, trial, count, chunk_tokens);
  Decoder decoder(model_, *backend_);
  decoder.SetObserver(
      [&](int64_t layer, const SparseCall& dense) { search.Observe(layer, dense); });
  decoder.Forward({}, *segment, tokens, workspace, cancel, progress, {});
  return search.Finish();
}

std::vector<float> Engine::Logits(const KvState& base, std::span<const uint32_t> tokens,
                                  int64_t chunk_tokens, const std::atomic<bool>& cancel) {
  const auto count = static_cast<int64_t>(tokens.size());
  CheckTokens(base, tokens, count, chunk_tokens, ErrorCode::kOverBudget);
  std::shared_ptr<KvSegment> segment = NewSegment(base, std::nullopt, count, chunk_tokens);
  Workspace workspace(model_.spec, *backend_, std::min(chunk_tokens, count));
  std::vector<float> logits(static_cast<size_t>(model_.spec.vocabulary));
  Decoder(model_, *backend_)
      .Forward(base, *segment, tokens, workspace, cancel, [](int64_t) {},
               {.logits = logits.data()});
  return logits;
}

GenerateResult Engine::Generate(const KvState& base, std::span<const uint32_t> tokens,
                                const GenerateOptions& options, const std::atomic<bool>& cancel,
                                const std::function<void(uint32_t token)>& on_token) {
  const Stopwatch watch;
  const auto count = static_cast<int64_t>(tokens.size());
  if (options.max_tokens < 1) {
    throw Error(ErrorCode::kInvalidArgument, "maxTokens must be at least 1");
  }
  // The last sampled token is never fed.
  const int64_t room = model_.spec.max_context - base.token_count() - count + 1;
  CheckTokens(base, tokens, count, options.chunk_tokens, ErrorCode::kQuestionTooLong);
  const int64_t max_tokens = std::min(options.max_tokens, room);
  Sampler sampler(options.sampling);
  const int64_t capacity = count + max_tokens - 1;
  std::shared_ptr<KvSegment> segment =
      NewSegment(base, std::nullopt, capacity, options.chunk_tokens);
  Workspace workspace(model_.spec, *backend_, std::min(options.chunk_tokens, count));
  uint32_t token = 0;
  NextToken next{.token = &token};
  Decoder decoder(model_, *backend_);
  AttentionEvidence evidence(model_.spec, options.evidence_ends, base.token_count());
  if (!options.evidence_ends.empty()) decoder.SetEvidence(evidence);

  GenerateResult result;
  Stopwatch decode_watch;
  try {
    backend_->ForgetSteps();
    while (static_cast<int64_t>(result.tokens.size()) < max_tokens) {
      next.draw = sampler.Next();
      if (result.tokens.empty()) {
        decoder.Forward(base, *segment, tokens, workspace, cancel, [](int64_t) {}, next);
      } else {
        decoder.Step(base, *segment, result.tokens.back(), workspace, cancel, next);
      }
      if (result.tokens.empty()) {
        result.first_token_ms = watch.milliseconds();
        decode_watch = Stopwatch();
      }
      result.tokens.push_back(token);
      on_token(token);
      if (std::ranges::find(options.end_tokens, token) != options.end_tokens.end()) {
        result.stop_reason = StopReason::kEndToken;
        break;
      }
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCancelled) throw;
    result.stop_reason = StopReason::kCancelled;
  }
  if (!result.tokens.empty()) result.decode_ms = decode_watch.milliseconds();
  result.evidence = evidence.Result();
  result.kv = base.Append(std::move(segment));
  return result;
}

}  // namespace longsight

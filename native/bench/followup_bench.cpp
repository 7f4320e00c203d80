// longsight-bench-followup: a question on a long context that is in the cache already: the time to
// the first token, decoding, and memory against its plan. The cached keys and values are random.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <vector>

#include "bench/numbers.h"
#include "bench/random_model.h"
#include "engine/engine.h"
#include "engine/stopwatch.h"

namespace longsight::bench {
namespace {

const std::atomic<bool> kNever{false};

constexpr const char* kUsage =
    "usage: longsight-bench-followup [options]\n"
    "\n"
    "Asks a random model about a context of random keys and values.\n"
    "\n"
    "  --shape SHAPE     LAYERS,HIDDEN,HEADS,KV_HEADS,HEAD,FFN,VOCAB (default "
    "6,512,8,2,64,1536,16384),\n"
    "                    llama-3-8b, qwen2.5-7b or glm-4-9b\n"
    "  --layers N        so many of its layers\n"
    "  --cached N,N,...  tokens in the cache (default 131072)\n"
    "  --question N      tokens of the question (default 64)\n"
    "  --decode N        tokens decoded after the first (default 32)\n"
    "  --kv TYPE         bf16 (default) or fp8, on a GPU\n"
    "  --weights TYPE    bf16 (default) or fp8, on a GPU: of the linear layers\n"
    "  --device NAME     auto, cpu, cuda or cuda:N (default auto)\n";

struct Options {
  Shape shape;
  std::vector<int64_t> cached = {131072};
  int64_t question = 64;
  int64_t decode = 32;
  std::string device = "auto";
  KvType kv = KvType::kBf16;
  WeightType weights = WeightType::kBf16;
  bool help = false;
};

Options Parse(int argc, char** argv) {
  Options options;
  int64_t layers = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      options.help = true;
    } else if (i + 1 == argc) {
      throw std::invalid_argument(name + ": unknown, or lacks its value");
    } else if (name == "--shape") {
      options.shape = ParseShape(argv[++i]);
    } else if (name == "--layers") {
      layers = ParseNumber(name, argv[++i]);
    } else if (name == "--cached") {
      options.cached = ParseNumbers(name, argv[++i]);
    } else if (name == "--question") {
      options.question = ParseNumber(name, argv[++i]);
    } else if (name == "--decode") {
      options.decode = ParseNumber(name, argv[++i]);
    } else if (name == "--kv") {
      options.kv = ParseIsFp8(name, argv[++i]) ? KvType::kFp8 : KvType::kBf16;
    } else if (name == "--weights") {
      options.weights = ParseIsFp8(name, argv[++i]) ? WeightType::kFp8 : WeightType::kBf16;
    } else if (name == "--device") {
      options.device = argv[++i];
    } else {
      throw std::invalid_argument(name + ": unknown option");
    }
  }
  if (layers > 0) options.shape.layers = layers;
  return options;
}

// Embeddings of ever other tokens stand for keys and values: they are where the device is, and of
// no structure.
KvState RandomCache(Engine& engine, Backend& backend, int64_t tokens) {
  const KvLayout& layout = engine.kv_layout();
  const DecoderSpec& spec = engine.model().spec;
  auto segment = std::make_shared<KvSegment>(layout, 0, tokens,
                                             backend.Allocate(layout.bytes(tokens), "the KV cache"),
                                             std::make_shared<std::atomic<int64_t>>(0));
  const int64_t rows = backend.block_rows();
  const BackendMemory memory =
      backend.Allocate(rows * spec.hidden * DTypeBytes(DType::kF32), "embeddings");
  const Rows embedded = {memory.get(), DType::kF32, spec.hidden};
  std::vector<uint32_t> ids(static_cast<size_t>(rows));
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<uint32_t>((i * 7919) % static_cast<uint64_t>(spec.vocabulary));
  }
  backend.Embed(engine.model().embedding, ids.data(), rows, embedded);
  const Rows kv = embedded.InRowsOf(layout.row_elements());
  const int64_t at_once = rows * spec.hidden / layout.row_elements();
  for (int64_t layer = 0; layer < layout.layers; ++layer) {
    for (int64_t token = 0; token < tokens; token += at_once) {
      const int64_t n = std::min(at_once, tokens - token);
      backend.StoreKv(layout, kv, n,
                      {segment->mutable_key_row(layer, token), segment->key_scales(layer, token)});
      backend.StoreKv(
          layout, kv, n,
          {segment->mutable_value_row(layer, token), segment->value_scales(layer, token)});
    }
  }
  backend.Wait();
  segment->Commit(tokens);
  return KvState().Append(std::move(segment));
}

// Bytes that a decoded token reads: every weight but the embedding's other rows, and all K and V.
double DecodeBytes(const Engine& engine, int64_t tokens) {
  const DecoderSpec& spec = engine.model().spec;
  return static_cast<double>(engine.model().weights_bytes) -
         static_cast<double>(spec.vocabulary * spec.hidden * 2) +
         static_cast<double>(tokens) * static_cast<double>(engine.kv_layout().bytes_per_token());
}

void Measure(Engine& engine, Backend& backend, const Options& options, int64_t cached) {
  const int64_t free_before = backend.available_bytes();
  const KvState cache = RandomCache(engine, backend, cached);
  std::vector<uint32_t> question;
  for (int64_t i = 0; i < options.question; ++i) {
    question.push_back(static_cast<uint32_t>(i * 31 % options.shape.vocabulary));
  }
  GenerateOptions generate;
  generate.max_tokens = options.decode + 1;
  generate.chunk_tokens = 4096;
  GenerateResult result;
  for (int run = 0; run < 2; ++run) {  // the first wakes everything
    result = engine.Generate(cache, question, generate, kNever, [](uint32_t) {});
  }
  const double token_ms = result.decode_ms / static_cast<double>(options.decode);
  const double gigabytes = DecodeBytes(engine, cached + options.question) / 1e9;
  std::printf("%9lld %12.1f %12.2f %12.0f %14.2f %14.2f\n", static_cast<long long>(cached),
              result.first_token_ms, token_ms, gigabytes / token_ms * 1e3,
              static_cast<double>(free_before - backend.available_bytes()) / 1e9,
              static_cast<double>(cached * engine.kv_layout().bytes_per_token()) / 1e9);
}

void Run(const Options& options) {
  const int64_t longest = *std::ranges::max_element(options.cached);
  RandomModel random(options.shape, longest + options.question + options.decode + 1);
  EngineOptions engine_options;
  engine_options.device = options.device;
  engine_options.weights = options.weights;
  std::unique_ptr<Backend> made = MakeBackend(engine_options);
  Backend& backend = *made;
  const Stopwatch watch;
  Engine engine(random.TakeModel(), std::move(made), Precision::kBf16, options.kv);
  const double seconds = watch.milliseconds() / 1e3;
  std::printf("device: %s %s (%s), weights %.2f GB in %.2f s, %lld layers\n\n",
              backend.device().c_str(), backend.device_name().c_str(),
              backend.instruction_set().c_str(),
              static_cast<double>(engine.model().weights_bytes) / 1e9, seconds,
              static_cast<long long>(options.shape.layers));
  std::printf("%9s %12s %12s %12s %14s %14s\n", "cached", "first, ms", "decode, ms", "GB/s",
              "memory, GB", "planned, GB");
  for (const int64_t cached : options.cached) Measure(engine, backend, options, cached);
}

}  // namespace
}  // namespace longsight::bench

int main(int argc, char** argv) {
  using namespace longsight::bench;
  try {
    const Options options = Parse(argc, argv);
    if (options.help) {
      std::fputs(kUsage, stdout);
    } else {
      Run(options);
    }
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "longsight-bench-followup: %s\n%s", error.what(), kUsage);
    return 64;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "longsight-bench-followup: %s\n", error.what());
    return 1;
  }
}

#include "bench/measure.h"

#include <atomic>
#include <chrono>
#include <vector>

namespace longsight::bench {
namespace {

const std::atomic<bool> kNever{false};

// What this engine does: all layers but the last in full, of the last one only K and V.
double PrefillFlops(const Shape& s, double tokens) {
  const double query = static_cast<double>(s.heads * s.head_size);
  const double kv = static_cast<double>(s.kv_heads * s.head_size);
  const double hidden = static_cast<double>(s.hidden), ffn = static_cast<double>(s.ffn);
  const double kv_projection = 2 * kv * hidden;
  const double rest = 2 * query * hidden + 3 * ffn * hidden;
  const double attention = 2 * query * (tokens + 1) / 2;
  const double layers = static_cast<double>(s.layers);
  return 2 * tokens * (layers * kv_projection + (layers - 1) * (rest + attention));
}

// Everything but the embedding table, of which decoding reads one row.
double DecodeBytes(const Engine& engine, double tokens) {
  const DecoderSpec& spec = engine.model().spec;
  const double table = static_cast<double>(spec.vocabulary * spec.hidden * 2);
  return static_cast<double>(engine.model().weights_bytes) - table +
         tokens * static_cast<double>(engine.kv_layout().bytes_per_token());
}

}  // namespace

Measurement Measure(Engine& engine, const Options& options, int64_t length) {
  std::vector<uint32_t> tokens;
  for (int64_t i = 0; i < length; ++i) {
    tokens.push_back(static_cast<uint32_t>((i * 7919) % options.shape.vocabulary));
  }
  Measurement result{};
  result.tokens = length;
  const auto start = std::chrono::steady_clock::now();
  const KvState prompt = engine.Prefill({}, tokens, options.chunk, kNever, [](int64_t) {});
  result.prefill_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.prefill_flops = PrefillFlops(options.shape, static_cast<double>(length));

  GenerateOptions generate;
  generate.max_tokens = options.decode_tokens + 1;
  generate.chunk_tokens = options.chunk;
  const std::vector<uint32_t> question{1};
  const GenerateResult decoded =
      engine.Generate(prompt, question, generate, kNever, [](uint32_t) {});
  result.decode_seconds = decoded.decode_ms / 1e3 / static_cast<double>(options.decode_tokens);
  result.decode_bytes =
      DecodeBytes(engine, static_cast<double>(length + options.decode_tokens / 2));
  return result;
}

}  // namespace longsight::bench

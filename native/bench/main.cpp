// longsight-bench-model: whole dense prefill and decode, in tokens per second and as a share of
// what this machine was measured to do.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/options.h"
#include "bench/random_model.h"
#include "engine/engine.h"
#include "engine/system_memory.h"

namespace longsight::bench {
namespace {

using Clock = std::chrono::steady_clock;

const std::atomic<bool> kNever{false};

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

struct Row {
  int64_t tokens;
  double prefill_seconds;
  double prefill_gflops;  // per second, of the work a whole forward pass needs
  double decode_seconds;  // per token
  double decode_gbps;     // weights and KV read per second, 1e9 bytes
};

// Multiply-adds of the prefill that this engine does: all layers but the last in full, of the last
// only K and V.
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

Row Measure(Engine& engine, const Options& options, int64_t length) {
  std::vector<uint32_t> tokens;
  for (int64_t i = 0; i < length; ++i) {
    tokens.push_back(static_cast<uint32_t>((i * 7919) % options.shape.vocabulary));
  }
  Row row{};
  row.tokens = length;
  const auto start = Clock::now();
  const KvState prompt = engine.Prefill({}, tokens, options.chunk, kNever, [](int64_t) {});
  row.prefill_seconds = Seconds(start);
  row.prefill_gflops =
      PrefillFlops(options.shape, static_cast<double>(length)) / row.prefill_seconds / 1e9;

  GenerateOptions generate;
  generate.max_tokens = options.decode_tokens + 1;
  generate.chunk_tokens = options.chunk;
  const std::vector<uint32_t> question{1};
  const GenerateResult result =
      engine.Generate(prompt, question, generate, kNever, [](uint32_t) {});
  row.decode_seconds = result.decode_ms / 1e3 / static_cast<double>(options.decode_tokens);
  const double middle = static_cast<double>(length + options.decode_tokens / 2);
  row.decode_gbps = DecodeBytes(engine, middle) / row.decode_seconds / 1e9;
  return row;
}

void PrintTable(const Engine& engine, const std::vector<Row>& rows) {
  std::printf("%s, %d threads\n", engine.backend().instruction_set().c_str(),
              engine.backend().threads());
  std::printf("%10s %14s %10s %14s %10s\n", "tokens", "prefill tok/s", "GFLOP/s", "decode tok/s",
              "GB/s");
  for (const Row& row : rows) {
    std::printf("%10lld %14.0f %10.1f %14.1f %10.2f\n", static_cast<long long>(row.tokens),
                static_cast<double>(row.tokens) / row.prefill_seconds, row.prefill_gflops,
                1 / row.decode_seconds, row.decode_gbps);
  }
}

int Run(const Options& options) {
  int64_t longest = 0;
  for (const int64_t length : options.lengths) longest = std::max(longest, length);
  RandomModel random(options.shape, longest + options.decode_tokens + 1);
  Engine engine(random.TakeModel(), MakeCpuBackend(options.threads, false), Precision::kBf16);
  // Wakes the threads and touches the weights.
  Measure(engine, options, 64);
  std::vector<Row> rows;
  for (const int64_t length : options.lengths) rows.push_back(Measure(engine, options, length));
  PrintTable(engine, rows);
  return 0;
}

}  // namespace
}  // namespace longsight::bench

int main(int argc, char** argv) {
  try {
    const longsight::bench::Options options = longsight::bench::ParseOptions(argc, argv);
    if (options.help) {
      std::fputs(longsight::bench::kUsage, stdout);
      return 0;
    }
    return longsight::bench::Run(options);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "longsight-bench-model: %s\n%s", error.what(), longsight::bench::kUsage);
    return 64;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "longsight-bench-model: %s\n", error.what());
    return 1;
  }
}

// longsight-bench-prefill: dense and sparse prefill side by side, end to end and attention alone.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "bench/planted_backend.h"
#include "bench/prefill_options.h"
#include "bench/random_model.h"
#include "engine/engine.h"
#include "engine/stopwatch.h"

namespace longsight::bench {
namespace {

const std::atomic<bool> kNever{false};

struct Row {
  int64_t tokens;
  PrefillMode mode;
  double prefill_ms;
  PrefillReport report;
  double planned_gb;  // of memory, weights included

  double sparsity() const {
    return report.dense_pairs > 0 ? 1 - report.kept_pairs / report.dense_pairs : 0;
  }
  double guard_share() const {
    return report.dense_pairs > 0 ? report.guard_pairs / report.dense_pairs : 0;
  }
  double mean_recall() const {
    return report.recall_count > 0 ? report.recall_sum / static_cast<double>(report.recall_count)
                                   : 1;
  }
  double tokens_per_second() const { return static_cast<double>(tokens) / prefill_ms * 1000; }
};

std::vector<uint32_t> ReadTokens(const std::string& path, int64_t count) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::invalid_argument("--tokens: " + path + " cannot be read");
  std::vector<uint32_t> tokens(std::filesystem::file_size(path) / sizeof(uint32_t));
  file.read(reinterpret_cast<char*>(tokens.data()),
            static_cast<std::streamsize>(tokens.size() * sizeof(uint32_t)));
  if (static_cast<int64_t>(tokens.size()) < count) {
    throw std::invalid_argument("--tokens: " + path + " has " + std::to_string(tokens.size()) +
                                " tokens, and --lengths asks for " + std::to_string(count));
  }
  return tokens;
}

// Milliseconds that do not count: of planting, by the host.
double Planting(const Engine& engine) {
  const auto* planted = dynamic_cast<const PlantedBackend*>(&engine.backend());
  return planted == nullptr || planted->device() == "cpu" ? 0 : planted->planting_ms();
}

Row MeasureOnce(Engine& engine, const PrefillOptions& options, const PrefillSettings& settings,
                std::span<const uint32_t> tokens) {
  const double planting = Planting(engine);
  const Stopwatch watch;
  const PrefillResult result =
      engine.Prefill({}, tokens, options.chunk, settings, kNever, [](int64_t) {});
  const double prefill_ms = watch.milliseconds() - (Planting(engine) - planting);
  const MemoryPlan plan = engine.Plan(static_cast<int64_t>(tokens.size()), options.chunk).front();
  return {static_cast<int64_t>(tokens.size()), settings.mode, prefill_ms, result.report,
          static_cast<double>(plan.required_bytes) / 1e9};
}

// The median run of each mode; the modes take turns, so that a slow minute of the machine is
// everybody's.
std::vector<Row> MeasureLength(Engine& engine, const PrefillOptions& options,
                               std::span<const uint32_t> tokens) {
  PrefillSettings settings;
  settings.recall_floor = options.recall_floor;
  if (!options.patterns.empty()) {
    const DecoderSpec& spec = engine.model().spec;
    settings.patterns = std::make_shared<HeadPatterns>(
        HeadPatterns::Read(options.patterns, spec.layer_count(), spec.heads));
  }
  std::vector<std::vector<Row>> runs(options.modes.size());
  for (int64_t run = 0; run < options.runs; ++run) {
    for (size_t mode = 0; mode < options.modes.size(); ++mode) {
      settings.mode = options.modes[mode];
      runs[mode].push_back(MeasureOnce(engine, options, settings, tokens));
    }
  }
  std::vector<Row> rows;
  for (std::vector<Row>& of_mode : runs) {
    std::ranges::sort(of_mode, {}, &Row::prefill_ms);
    rows.push_back(of_mode[of_mode.size() / 2]);
  }
  return rows;
}

void PrintTable(const std::string& machine, const std::vector<Row>& rows) {
  std::printf("machine: %s\n\n%9s %-6s %12s %12s %10s %9s %7s %13s %9s %11s\n", machine.c_str(),
              "tokens", "mode", "prefill ms", "attention ms", "index ms", "sparsity", "guard",
              "recall, least", "tokens/s", "planned, GB");
  for (const Row& row : rows) {
    std::printf("%9lld %-6s %12.0f %12.0f %10.0f %8.1f%% %6.1f%% %6.3f %6.3f %9.0f %11.2f\n",
                static_cast<long long>(row.tokens), ModeName(row.mode), row.prefill_ms,
                row.report.attention_ms, row.report.index_ms, 100 * row.sparsity(),
                100 * row.guard_share(), row.mean_recall(), row.report.recall_least,
                row.tokens_per_second(), row.planned_gb);
    std::fflush(stdout);
  }
}

// No string here holds a character that JSON escapes.
void PrintJson(const std::string& machine, const std::vector<Row>& rows) {
  std::printf("{\"machine\":\"%s\",\"rows\":[", machine.c_str());
  const char* separator = "";
  for (const Row& row : rows) {
    std::printf(
        "%s{\"tokens\":%lld,\"mode\":\"%s\",\"prefillMs\":%.1f,\"attentionMs\":%.1f,"
        "\"indexMs\":%.1f,\"sparsity\":%.4f,\"guardShare\":%.4f,"
        "\"recall\":{\"mean\":%.4f,\"least\":%.4f},\"tokensPerSecond\":%.1f,"
        "\"plannedBytes\":%.0f}",
        separator, static_cast<long long>(row.tokens), ModeName(row.mode), row.prefill_ms,
        row.report.attention_ms, row.report.index_ms, row.sparsity(), row.guard_share(),
        row.mean_recall(), row.report.recall_least, row.tokens_per_second(), row.planned_gb * 1e9);
    separator = ",";
  }
  std::printf("]}\n");
}

void Report(Engine& engine, const PrefillOptions& options, std::span<const uint32_t> tokens) {
  MeasureOnce(engine, options, {}, tokens.first(64));  // wakes the threads, touches the weights
  std::vector<Row> rows;
  for (const int64_t length : options.lengths) {
    const auto text = tokens.first(static_cast<size_t>(length));
    for (const Row& row : MeasureLength(engine, options, text)) rows.push_back(row);
  }
  const Backend& backend = engine.backend();
  const std::string machine =
      backend.device() == "cpu"
          ? backend.instruction_set() + ", " + std::to_string(backend.threads()) + " threads"
          : backend.device_name() + ", " + backend.instruction_set();
  (options.json ? PrintJson : PrintTable)(machine, rows);
}

void Run(const PrefillOptions& options) {
  const int64_t longest = std::max<int64_t>(64, *std::ranges::max_element(options.lengths));
  EngineOptions engine_options;
  engine_options.device = options.device;
  engine_options.threads = options.threads;
  engine_options.kv = options.kv;
  engine_options.weights = options.weights;
  if (!options.model.empty()) {
    const auto engine = Engine::Load(options.model, engine_options);
    Report(*engine, options, ReadTokens(options.tokens, longest));
    return;
  }
  RandomModel random(options.shape, longest);
  Engine engine(
      random.TakeModel(),
      std::make_unique<PlantedBackend>(MakeBackend(engine_options), options.shape, longest),
      Precision::kBf16, options.kv);
  std::vector<uint32_t> tokens;
  for (int64_t i = 0; i < longest; ++i) {
    tokens.push_back(static_cast<uint32_t>((i * 7919) % options.shape.vocabulary));
  }
  Report(engine, options, tokens);
}

}  // namespace
}  // namespace longsight::bench

int main(int argc, char** argv) {
  using namespace longsight::bench;
  try {
    const PrefillOptions options = ParsePrefillOptions(argc, argv);
    if (options.help) {
      std::fputs(kPrefillUsage, stdout);
    } else {
      Run(options);
    }
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "longsight-bench-prefill: %s\n%s", error.what(), kPrefillUsage);
    return 64;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "longsight-bench-prefill: %s\n", error.what());
    return 1;
  }
}

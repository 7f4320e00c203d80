#include "bench/prefill_options.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "bench/numbers.h"
#include "engine/backend.h"

namespace longsight::bench {

const char* const kPrefillUsage =
    "usage: longsight-bench-prefill [options]\n"
    "\n"
    "Prefills the same tokens in each mode and prints what it cost and what attention kept.\n"
    "\n"
    "  --model DIR --tokens FILE   a model, and token ids for it (32-bit, little-endian)\n"
    "  --shape SHAPE           otherwise a random model whose queries and keys have structure "
    "planted:\n"
    "                          LAYERS,HIDDEN,HEADS,KV_HEADS,HEAD,FFN,VOCAB (default "
    "6,512,8,2,64,1536,16384),\n"
    "                          llama-3-8b, qwen2.5-7b or glm-4-9b\n"
    "  --layers N              so many of its layers, and one of which only K and V are needed\n"
    "  --lengths N,N,...       tokens (default 4096,16384,32768)\n"
    "  --mode MODE,...         dense, sparse, auto (default dense,sparse)\n"
    "  --patterns FILE         head patterns of the sparse runs\n"
    "  --recall-floor N        attention that each head must keep, 0 to 1 (0: no guard; default: "
    "as\n"
    "                          the patterns say, else 0.95)\n"
    "  --chunk N               tokens per chunk (default 32768)\n"
    "  --runs N                of every length and mode, in turn; the median is printed (default "
    "1)\n"
    "  --threads N             default: one per processor\n"
    "  --device NAME           auto, cpu, cuda or cuda:N (default auto)\n"
    "  --kv TYPE               of keys and values: bf16, or fp8 on a GPU (default bf16)\n"
    "  --weights TYPE          of the linear layers: bf16, or fp8 on a GPU (default bf16)\n"
    "  --json                  one JSON object instead of a table\n";

namespace {

std::vector<PrefillMode> ParseModes(const std::string& text) {
  std::vector<PrefillMode> modes;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    const auto add = [&](PrefillMode mode) {
      if (name == ModeName(mode)) modes.push_back(mode);
      return name == ModeName(mode);
    };
    if (!add(PrefillMode::kDense) && !add(PrefillMode::kSparse) && !add(PrefillMode::kAuto)) {
      throw std::invalid_argument("--mode: \"" + name + "\" is not dense, sparse or auto");
    }
    begin = end + 1;
  }
  return modes;
}

double ParseShare(const std::string& option, const std::string& text) {
  double share = -1;
  const auto [next, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error != std::errc() || next != text.data() + text.size() || !(share >= 0 && share <= 1)) {
    throw std::invalid_argument(option + ": \"" + text + "\" is not a number from 0 to 1");
  }
  return share;
}

}  // namespace

const char* ModeName(PrefillMode mode) {
  switch (mode) {
    case PrefillMode::kAuto:
      return "auto";
    case PrefillMode::kDense:
      return "dense";
    case PrefillMode::kSparse:
      return "sparse";
  }
  return "";
}

PrefillOptions ParsePrefillOptions(int argc, char** argv) {
  PrefillOptions options;
  int64_t layers = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      options.help = true;
    } else if (name == "--json") {
      options.json = true;
    } else if (i + 1 == argc) {
      throw std::invalid_argument(name + ": unknown, or lacks its value");
    } else if (name == "--model") {
      options.model = argv[++i];
    } else if (name == "--tokens") {
      options.tokens = argv[++i];
    } else if (name == "--shape") {
      options.shape = ParseShape(argv[++i]);
    } else if (name == "--layers") {
      layers = ParseNumber(name, argv[++i]);
    } else if (name == "--lengths") {
      options.lengths = ParseNumbers(name, argv[++i]);
    } else if (name == "--mode") {
      options.modes = ParseModes(argv[++i]);
    } else if (name == "--patterns") {
      options.patterns = argv[++i];
    } else if (name == "--recall-floor") {
      options.recall_floor = ParseShare(name, argv[++i]);
    } else if (name == "--chunk") {
      options.chunk = ParseNumber(name, argv[++i]);
    } else if (name == "--runs") {
      options.runs = ParseNumber(name, argv[++i]);
    } else if (name == "--device") {
      options.device = argv[++i];
    } else if (name == "--kv") {
      options.kv = ParseIsFp8(name, argv[++i]) ? KvType::kFp8 : KvType::kBf16;
    } else if (name == "--weights") {
      options.weights = ParseIsFp8(name, argv[++i]) ? WeightType::kFp8 : WeightType::kBf16;
    } else if (name == "--threads") {
      options.threads =
          static_cast<int>(std::min<int64_t>(ParseNumber(name, argv[++i]), kMaxThreads));
    } else {
      throw std::invalid_argument(name + ": unknown option");
    }
  }
  if (layers > 0) options.shape.layers = layers + 1;
  if (options.model.empty() != options.tokens.empty()) {
    throw std::invalid_argument("--model and --tokens belong together");
  }
  return options;
}

}  // namespace longsight::bench

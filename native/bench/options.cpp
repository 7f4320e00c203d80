#include "bench/options.h"

#include <algorithm>
#include <stdexcept>

#include "bench/numbers.h"
#include "bench/shape.h"
#include "engine/backend.h"

namespace longsight::bench {

const char* const kUsage =
    "usage: longsight-bench-model [options]\n"
    "\n"
    "Prefills and decodes with a random bf16 Llama, dense, and prints tokens per second.\n"
    "\n"
    "  --shape LAYERS,HIDDEN,HEADS,KV_HEADS,HEAD,FFN,VOCAB   default 6,512,8,2,64,1536,16384\n"
    "  --lengths N,N,...       prompt lengths in tokens, default 4096,16384\n"
    "  --chunk N               tokens per chunk of the prefill, default 4096\n"
    "  --threads N             default: one per processor\n"
    "  --decode N              tokens to decode after each prompt, default 32\n"
    "  --json                  one JSON object instead of a table\n";

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      options.help = true;
    } else if (name == "--json") {
      options.json = true;
    } else if (i + 1 == argc) {
      throw std::invalid_argument(name + ": unknown, or lacks its value");
    } else if (name == "--shape") {
      options.shape = ParseShape(argv[++i]);
    } else if (name == "--lengths") {
      options.lengths = ParseNumbers(name, argv[++i]);
    } else if (name == "--chunk") {
      options.chunk = ParseNumber(name, argv[++i]);
    } else if (name == "--threads") {
      options.threads =
          static_cast<int>(std::min<int64_t>(ParseNumber(name, argv[++i]), kMaxThreads));
    } else if (name == "--decode") {
      options.decode_tokens = ParseNumber(name, argv[++i]);
    } else {
      throw std::invalid_argument(name + ": unknown option");
    }
  }
  return options;
}

}  // namespace longsight::bench

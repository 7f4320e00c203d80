#include "bench/options.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

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

namespace {

std::vector<int64_t> ParseNumbers(const std::string& option, const std::string& text) {
  std::vector<int64_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    int64_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number < 1 || number > int64_t{1} << 31) {
      throw std::invalid_argument(option + ": \"" + text + "\" is not a list of numbers above 0");
    }
    numbers.push_back(number);
    if (next == end) return numbers;
    if (*next != ',')
      throw std::invalid_argument(option + ": expected a comma in \"" + text + "\"");
    at = next + 1;
  }
}

int64_t ParseNumber(const std::string& option, const std::string& text) {
  const std::vector<int64_t> numbers = ParseNumbers(option, text);
  if (numbers.size() != 1) throw std::invalid_argument(option + ": expected one number");
  return numbers[0];
}

Shape ParseShape(const std::string& text) {
  const std::vector<int64_t> n = ParseNumbers("--shape", text);
  if (n.size() != 7) throw std::invalid_argument("--shape: expected seven numbers");
  if (n[2] % n[3] != 0) throw std::invalid_argument("--shape: heads is no multiple of KV heads");
  if (n[4] % 8 != 0 || n[4] > 256) {
    throw std::invalid_argument("--shape: the head size is no multiple of 8 up to 256");
  }
  return Shape{n[0], n[1], n[2], n[3], n[4], n[5], n[6]};
}

}  // namespace

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

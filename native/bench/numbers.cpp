#include "bench/numbers.h"

#include <charconv>
#include <stdexcept>

namespace longsight::bench {

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

bool ParseIsFp8(const std::string& option, const std::string& text) {
  if (text != "bf16" && text != "fp8") {
    throw std::invalid_argument(option + ": \"" + text + "\" is neither bf16 nor fp8");
  }
  return text == "fp8";
}

}  // namespace longsight::bench

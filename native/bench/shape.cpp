#include "bench/shape.h"

#include <stdexcept>
#include <vector>

#include "bench/numbers.h"

namespace longsight::bench {

Shape ParseShape(const std::string& text) {
  // As published on the models' own pages.
  if (text == "llama-3-8b") return {32, 4096, 32, 8, 128, 14336, 128256};
  if (text == "qwen2.5-7b") return {28, 3584, 28, 4, 128, 18944, 152064};
  if (text == "glm-4-9b") return {40, 4096, 32, 4, 128, 13696, 151552};
  const std::vector<int64_t> n = ParseNumbers("--shape", text);
  if (n.size() != 7) throw std::invalid_argument("--shape: expected seven numbers or a name");
  if (n[2] % n[3] != 0) throw std::invalid_argument("--shape: heads is no multiple of KV heads");
  if (n[4] % 8 != 0 || n[4] > 256) {
    throw std::invalid_argument("--shape: the head size is no multiple of 8 up to 256");
  }
  return Shape{n[0], n[1], n[2], n[3], n[4], n[5], n[6]};
}

}  // namespace longsight::bench

#include <cmath>

#include "reference.h"

namespace longsight::reference {

std::vector<std::vector<double>> SumSpans(const Heads& p, const std::vector<int64_t>& ends) {
  std::vector<std::vector<double>> masses;
  for (int64_t h = 0; h < p.heads; ++h) {
    const int64_t kv_head = h / (p.heads / p.kv_heads);
    std::vector<double> weights;
    double sum = 0;
    for (int64_t t = 0; t < p.tokens; ++t) {
      double dot = 0;
      for (int64_t i = 0; i < p.head_size; ++i) {
        dot += static_cast<double>(p.q[h * p.head_size + i]) *
               static_cast<double>(p.k[(t * p.kv_heads + kv_head) * p.head_size + i]);
      }
      weights.push_back(std::exp(dot * p.scale));
      sum += weights.back();
    }
    std::vector<double> mass;
    int64_t t = 0;
    for (const int64_t end : ends) {
      double part = 0;
      for (; t < end; ++t) part += weights[static_cast<size_t>(t)];
      mass.push_back(part / sum);
    }
    masses.push_back(mass);
  }
  return masses;
}

}  // namespace longsight::reference

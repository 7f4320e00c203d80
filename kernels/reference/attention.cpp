#include <cmath>
#include <limits>

#include "reference.h"

namespace longsight::reference {
namespace {

bool Sees(const Heads& p, int64_t row, int64_t token) {
  const int64_t query = p.query_position + row;
  const int64_t key = p.key_position + token;
  if (key > query) return false;
  return p.window <= 0 || key > query - p.window;
}

}  // namespace

Attended Attend(const Heads& p) {
  const int64_t d = p.head_size;
  Attended result;
  result.out.assign(static_cast<size_t>(p.rows * p.heads * d), 0.0);
  result.lse.assign(static_cast<size_t>(p.rows * p.heads),
                    -std::numeric_limits<double>::infinity());
  std::vector<double> scores(static_cast<size_t>(p.tokens));
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int64_t h = 0; h < p.heads; ++h) {
      const int64_t kv_head = h / (p.heads / p.kv_heads);
      double top = -std::numeric_limits<double>::infinity();
      for (int64_t t = 0; t < p.tokens; ++t) {
        if (!Sees(p, r, t)) continue;
        double dot = 0;
        for (int64_t i = 0; i < d; ++i) {
          dot += static_cast<double>(p.q[(r * p.heads + h) * d + i]) *
                 static_cast<double>(p.k[(t * p.kv_heads + kv_head) * d + i]);
        }
        scores[static_cast<size_t>(t)] = dot * p.scale;
        top = std::fmax(top, dot * p.scale);
      }
      double sum = 0;
      double* out = result.out.data() + (r * p.heads + h) * d;
      for (int64_t t = 0; t < p.tokens; ++t) {
        if (!Sees(p, r, t)) continue;
        const double weight = std::exp(scores[static_cast<size_t>(t)] - top);
        sum += weight;
        for (int64_t i = 0; i < d; ++i) {
          out[i] += weight * static_cast<double>(p.v[(t * p.kv_heads + kv_head) * d + i]);
        }
      }
      if (sum == 0) continue;
      for (int64_t i = 0; i < d; ++i) out[i] /= sum;
      result.lse[static_cast<size_t>(r * p.heads + h)] = top + std::log(sum);
    }
  }
  return result;
}

}  // namespace longsight::reference

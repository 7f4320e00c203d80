#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "reference.h"

namespace longsight::reference {
namespace {

double Dot(const Heads& p, int64_t row, int64_t head, int64_t token) {
  const int64_t kv_head = head / (p.heads / p.kv_heads);
  double dot = 0;
  for (int64_t i = 0; i < p.head_size; ++i) {
    dot += static_cast<double>(p.q[(row * p.heads + head) * p.head_size + i]) *
           static_cast<double>(p.k[(token * p.kv_heads + kv_head) * p.head_size + i]);
  }
  return dot;
}

// Every key by itself: is there a row in the block that reaches it by one of the offsets?
void KeepLines(const Heads& p, const Kept& kept, int64_t begin, int64_t end,
               std::vector<bool>& keys) {
  for (int64_t row = begin; row < end; ++row) {
    for (const int64_t offset : kept.offsets) {
      const int64_t key = p.query_position + row - offset;
      if (key >= 0 && key < p.tokens) keys[static_cast<size_t>(key)] = true;
    }
  }
  for (const int64_t key : kept.columns) {
    if (key < p.query_position + begin) keys[static_cast<size_t>(key)] = true;
  }
}

// Sorts all blocks between the first and the row block's own by the mean of q.k over both blocks.
void KeepBlocks(const Heads& p, const Kept& kept, int64_t head, int64_t begin, int64_t end,
                std::vector<bool>& keys, double* margin) {
  const int64_t first = p.query_position + begin, last = p.query_position + end;
  const int64_t own = first / kept.block_keys;
  const int64_t all = (last + kept.block_keys - 1) / kept.block_keys;
  std::vector<double> score(static_cast<size_t>(all));
  for (int64_t block = 0; block < all; ++block) {
    const int64_t from = block * kept.block_keys;
    const int64_t to = std::min(from + kept.block_keys, p.tokens);
    double sum = 0;
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t token = from; token < to; ++token) sum += Dot(p, row, head, token);
    }
    score[static_cast<size_t>(block)] = sum / static_cast<double>(to - from);
  }
  std::vector<int64_t> between;
  for (int64_t block = 1; block < own; ++block) between.push_back(block);
  std::sort(between.begin(), between.end(), [&](int64_t a, int64_t b) {
    return score[static_cast<size_t>(a)] > score[static_cast<size_t>(b)];
  });
  const auto wanted = static_cast<size_t>(
      std::clamp<int64_t>(kept.blocks - (all - own) - 1, 0, static_cast<int64_t>(between.size())));
  if (wanted > 0 && wanted < between.size()) {
    *margin = std::min(*margin, score[static_cast<size_t>(between[wanted - 1])] -
                                    score[static_cast<size_t>(between[wanted])]);
  }
  between.resize(wanted);
  between.push_back(0);
  for (int64_t block = own; block < all; ++block) between.push_back(block);
  for (const int64_t block : between) {
    for (int64_t key = block * kept.block_keys; key < std::min((block + 1) * kept.block_keys, last);
         ++key) {
      keys[static_cast<size_t>(key)] = true;
    }
  }
}

}  // namespace

Attended AttendKept(const Heads& p, const std::vector<Kept>& kept, int64_t block_rows,
                    double* margin) {
  const int64_t d = p.head_size;
  Attended result;
  result.out.assign(static_cast<size_t>(p.rows * p.heads * d), 0.0);
  result.lse.assign(static_cast<size_t>(p.rows * p.heads),
                    -std::numeric_limits<double>::infinity());
  *margin = std::numeric_limits<double>::infinity();
  for (int64_t h = 0; h < p.heads; ++h) {
    const Kept& of_head = kept[static_cast<size_t>(h)];
    for (int64_t begin = 0; begin < p.rows; begin += block_rows) {
      const int64_t end = std::min(begin + block_rows, p.rows);
      std::vector<bool> keys(static_cast<size_t>(p.tokens), of_head.all);
      if (!of_head.all && of_head.blocks > 0) {
        KeepBlocks(p, of_head, h, begin, end, keys, margin);
      } else if (!of_head.all) {
        KeepLines(p, of_head, begin, end, keys);
      }
      for (int64_t r = begin; r < end; ++r) {
        double top = -std::numeric_limits<double>::infinity();
        std::vector<std::pair<int64_t, double>> scores;
        for (int64_t t = 0; t <= p.query_position + r && t < p.tokens; ++t) {
          if (!keys[static_cast<size_t>(t)]) continue;
          scores.emplace_back(t, Dot(p, r, h, t) * p.scale);
          top = std::fmax(top, scores.back().second);
        }
        double sum = 0;
        double* out = result.out.data() + (r * p.heads + h) * d;
        for (const auto& [t, score] : scores) {
          const double weight = std::exp(score - top);
          sum += weight;
          const int64_t at = (t * p.kv_heads + h / (p.heads / p.kv_heads)) * d;
          for (int64_t i = 0; i < d; ++i) out[i] += weight * static_cast<double>(p.v[at + i]);
        }
        if (sum == 0) continue;
        for (int64_t i = 0; i < d; ++i) out[i] /= sum;
        result.lse[static_cast<size_t>(r * p.heads + h)] = top + std::log(sum);
      }
    }
  }
  return result;
}

Probed SumLines(const Heads& p) {
  const auto tokens = static_cast<size_t>(p.tokens), heads = static_cast<size_t>(p.heads);
  Probed result;
  result.columns.assign(heads, std::vector<double>(tokens));
  result.offsets.assign(heads, std::vector<double>(tokens));
  result.lse.assign(heads, {});
  for (int64_t h = 0; h < p.heads; ++h) {
    for (int64_t r = 0; r < p.rows; ++r) {
      const int64_t own = p.query_position + r;
      double sum = 0;
      // Scores of the tests are small enough for a plain sum.
      for (int64_t t = 0; t <= own; ++t) sum += std::exp(Dot(p, r, h, t) * p.scale);
      result.lse[static_cast<size_t>(h)].push_back(std::log(sum));
      for (int64_t t = 0; t <= own; ++t) {
        const double share = std::exp(Dot(p, r, h, t) * p.scale) / sum;
        result.columns[static_cast<size_t>(h)][static_cast<size_t>(t)] += share;
        result.offsets[static_cast<size_t>(h)][static_cast<size_t>(own - t)] +=
            t < p.always_kept ? 0 : share;
      }
    }
  }
  return result;
}

}  // namespace longsight::reference

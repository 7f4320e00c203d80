#include "reference/decoder_reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace longsight::reference {
namespace {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;  // one row per token

class ForwardPass {
 public:
  ForwardPass(const Config& config, const Weights& weights) : config_(config), weights_(weights) {}

  Matrix Run(const std::vector<uint32_t>& tokens) const {
    const Vector& table = weights_.at("model.embed_tokens.weight");
    Matrix x;
    for (const uint32_t token : tokens) {
      const auto row = table.begin() + static_cast<int64_t>(token) * config_.hidden;
      x.emplace_back(row, row + config_.hidden);
    }
    for (size_t i = 0; i < config_.layers.size(); ++i) RunLayer(i, x);
    const bool tied = !weights_.contains("lm_head.weight");
    Matrix logits;
    for (const Vector& row : x) {
      logits.push_back(Linear(tied ? "model.embed_tokens" : "lm_head",
                              Norm("model.norm.weight", row), config_.vocabulary));
    }
    return logits;
  }

 private:
  // x / sqrt(mean(x^2) + eps) * weight.
  Vector Norm(const std::string& name, const Vector& x) const {
    const Vector& weight = weights_.at(name);
    double sum = 0;
    for (const double v : x) sum += v * v;
    const double rms = std::sqrt(sum / static_cast<double>(x.size()) + config_.norm_epsilon);
    Vector y(x.size());
    for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] / rms * weight[i];
    return y;
  }

  Vector Linear(const std::string& module, const Vector& x, int64_t out) const {
    const Vector& weight = weights_.at(module + ".weight");
    const auto bias = weights_.find(module + ".bias");
    Vector y(static_cast<size_t>(out));
    for (size_t o = 0; o < y.size(); ++o) {
      double sum = bias == weights_.end() ? 0 : bias->second[o];
      for (size_t i = 0; i < x.size(); ++i) sum += weight[o * x.size() + i] * x[i];
      y[o] = sum;
    }
    return y;
  }

  int64_t Rotary() const {
    return config_.half_interleaved_rope ? config_.head_size / 2 : config_.head_size;
  }

  double Frequency(int64_t pair) const {
    const double exponent = -2.0 * static_cast<double>(pair) / static_cast<double>(Rotary());
    const double frequency = std::pow(config_.rope_theta, exponent);
    if (!config_.llama3) return frequency;
    const Llama3Scaling& scaling = *config_.llama3;
    const double turns = scaling.original_context * frequency / (2 * std::numbers::pi);
    // 1 at and above the high factor, 0 at and below the low one.
    const double kept =
        std::clamp((turns - scaling.low_frequency_factor) /
                       (scaling.high_frequency_factor - scaling.low_frequency_factor),
                   0.0, 1.0);
    return kept * frequency + (1 - kept) * frequency / scaling.factor;
  }

  // The head at `x`, turned for `position`: the pair (a, b) becomes (a + ib) * e^(i * angle).
  void Rotate(double* x, int64_t position) const {
    for (int64_t i = 0; i < Rotary() / 2; ++i) {
      double& first = config_.half_interleaved_rope ? x[2 * i] : x[i];
      double& second = config_.half_interleaved_rope ? x[2 * i + 1] : x[i + Rotary() / 2];
      const double angle = static_cast<double>(position) * Frequency(i);
      const double a = first, b = second;
      first = a * std::cos(angle) - b * std::sin(angle);
      second = a * std::sin(angle) + b * std::cos(angle);
    }
  }

  // Projects one token to `heads` heads, normalised and turned where the model says so.
  Vector Heads(const std::string& module, const std::string& norm, const Vector& x, int64_t heads,
               bool rope, int64_t position) const {
    Vector y = Linear(module, x, heads * config_.head_size);
    for (int64_t h = 0; h < heads; ++h) {
      double* head = y.data() + h * config_.head_size;
      if (!norm.empty()) {
        const Vector normed = Norm(norm, Vector(head, head + config_.head_size));
        std::copy(normed.begin(), normed.end(), head);
      }
      if (rope) Rotate(head, position);
    }
    return y;
  }

  Vector Attend(const Config::Layer& layer, const Vector& query, const Matrix& keys,
                const Matrix& values, int64_t position) const {
    const int64_t d = config_.head_size;
    Vector out(static_cast<size_t>(config_.heads * d));
    for (int64_t h = 0; h < config_.heads; ++h) {
      const int64_t kv = h / (config_.heads / config_.kv_heads) * d;
      const int64_t first =
          layer.window > 0 ? std::max<int64_t>(0, position - layer.window + 1) : 0;
      Vector scores;
      for (int64_t j = first; j <= position; ++j) {
        double dot = 0;
        for (int64_t i = 0; i < d; ++i) {
          dot += query[static_cast<size_t>(h * d + i)] *
                 keys[static_cast<size_t>(j)][static_cast<size_t>(kv + i)];
        }
        scores.push_back(dot / std::sqrt(static_cast<double>(d)));
      }
      const double largest = *std::max_element(scores.begin(), scores.end());
      double total = 0;
      for (double& score : scores) total += score = std::exp(score - largest);
      for (size_t j = 0; j < scores.size(); ++j) {
        for (int64_t i = 0; i < d; ++i) {
          out[static_cast<size_t>(h * d + i)] +=
              scores[j] / total *
              values[static_cast<size_t>(first) + j][static_cast<size_t>(kv + i)];
        }
      }
    }
    return out;
  }

  void RunLayer(size_t index, Matrix& x) const {
    const Config::Layer& layer = config_.layers[index];
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    const std::string attention = prefix + "self_attn.";
    const std::string query_norm = config_.query_key_norm ? attention + "q_norm.weight" : "";
    const std::string key_norm = config_.query_key_norm ? attention + "k_norm.weight" : "";
    Matrix keys, values;
    for (size_t t = 0; t < x.size(); ++t) {
      const auto position = static_cast<int64_t>(t);
      const Vector normed = Norm(prefix + "input_layernorm.weight", x[t]);
      keys.push_back(
          Heads(attention + "k_proj", key_norm, normed, config_.kv_heads, layer.rope, position));
      values.push_back(Heads(attention + "v_proj", "", normed, config_.kv_heads, false, position));
      const Vector query =
          Heads(attention + "q_proj", query_norm, normed, config_.heads, layer.rope, position);
      const Vector attended = Attend(layer, query, keys, values, position);
      Add(Linear(attention + "o_proj", attended, config_.hidden), x[t]);
      Add(Mlp(prefix + "mlp.", Norm(prefix + "post_attention_layernorm.weight", x[t])), x[t]);
    }
  }

  Vector Mlp(const std::string& prefix, const Vector& x) const {
    Vector gate, up;
    if (weights_.contains(prefix + "gate_up_proj.weight")) {
      const Vector both = Linear(prefix + "gate_up_proj", x, 2 * config_.intermediate);
      gate.assign(both.begin(), both.begin() + config_.intermediate);
      up.assign(both.begin() + config_.intermediate, both.end());
    } else {
      gate = Linear(prefix + "gate_proj", x, config_.intermediate);
      up = Linear(prefix + "up_proj", x, config_.intermediate);
    }
    for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
    return Linear(prefix + "down_proj", gate, config_.hidden);
  }

  static void Add(const Vector& y, Vector& x) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  const Config& config_;
  const Weights& weights_;
};

}  // namespace

std::vector<std::vector<double>> Logits(const Config& config, const Weights& weights,
                                        const std::vector<uint32_t>& tokens) {
  return ForwardPass(config, weights).Run(tokens);
}

}  // namespace longsight::reference

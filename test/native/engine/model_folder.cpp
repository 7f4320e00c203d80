#include "model_folder.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>

namespace longsight::test {
namespace {

// fp32 numbers that `dtype` holds exactly.
float RoundTo(const std::string& dtype, float x) {
  if (dtype == "F32") return x;
  // Ten bits of mantissa fit F16 in the range used here, seven fit BF16.
  const int bits = dtype == "F16" ? 10 : 7;
  const uint32_t mask = ~((1u << (23 - bits)) - 1);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & mask);
}

void AppendElement(const std::string& dtype, float x, std::string& bytes) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (dtype == "F32") {
    bytes.append(reinterpret_cast<const char*>(&bits), 4);
    return;
  }
  uint16_t half = static_cast<uint16_t>(bits >> 16);
  if (dtype == "F16") {
    const auto exponent = static_cast<int>((bits >> 23) & 0xFF) - 112;
    half = exponent <= 0 ? 0
                         : static_cast<uint16_t>((bits >> 16 & 0x8000) | (exponent << 10) |
                                                 ((bits >> 13) & 0x3FF));
  }
  bytes.append(reinterpret_cast<const char*>(&half), 2);
}

class ModelBuilder {
 public:
  ModelBuilder(const reference::Config& config, const ModelTraits& traits)
      : config_(config), traits_(traits), random_(traits.seed) {}

  RandomModel Build() {
    const int64_t hidden = config_.hidden;
    Add("model.embed_tokens.weight", {config_.vocabulary, hidden}, 0, 1);
    if (!traits_.tied) AddMatrix("lm_head", config_.vocabulary, hidden, false);
    Add("model.norm.weight", {hidden}, 1, 0.3f);
    for (size_t i = 0; i < config_.layers.size(); ++i) AddLayer(i);
    return std::move(model_);
  }

 private:
  void AddLayer(size_t index) {
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    const std::string attention = prefix + "self_attn.", mlp = prefix + "mlp.";
    const int64_t hidden = config_.hidden, query = config_.heads * config_.head_size,
                  kv = config_.kv_heads * config_.head_size, ffn = config_.intermediate;
    Add(prefix + "input_layernorm.weight", {hidden}, 1, 0.3f);
    Add(prefix + "post_attention_layernorm.weight", {hidden}, 1, 0.3f);
    AddMatrix(attention + "q_proj", query, hidden, traits_.qkv_bias);
    AddMatrix(attention + "k_proj", kv, hidden, traits_.qkv_bias);
    AddMatrix(attention + "v_proj", kv, hidden, traits_.qkv_bias);
    AddMatrix(attention + "o_proj", hidden, query, traits_.output_bias);
    if (config_.query_key_norm) {
      Add(attention + "q_norm.weight", {config_.head_size}, 1, 0.3f);
      Add(attention + "k_norm.weight", {config_.head_size}, 1, 0.3f);
    }
    AddMatrix(mlp + "gate_proj", ffn, hidden, traits_.mlp_bias);
    AddMatrix(mlp + "up_proj", ffn, hidden, traits_.mlp_bias);
    AddMatrix(mlp + "down_proj", hidden, ffn, traits_.mlp_bias);
  }

  void AddMatrix(const std::string& module, int64_t out, int64_t in, bool bias) {
    Add(module + ".weight", {out, in}, 0, 1.5f / std::sqrt(static_cast<float>(in)));
    if (bias) Add(module + ".bias", {out}, 0, 0.5f);
  }

  void Add(const std::string& name, const std::vector<int64_t>& shape, float mean, float spread) {
    RawTensor raw{traits_.dtype, shape, {}};
    std::vector<double>& values = model_.weights[name];
    int64_t size = 1;
    for (const int64_t d : shape) size *= d;
    std::normal_distribution<float> normal(mean, spread);
    for (int64_t i = 0; i < size; ++i) {
      float x = RoundTo(traits_.dtype, normal(random_));
      if (std::abs(x) < 1e-4f) x = 0;  // below F16's normal numbers
      values.push_back(x);
      AppendElement(traits_.dtype, x, raw.bytes);
    }
    model_.tensors[name] = std::move(raw);
  }

  const reference::Config& config_;
  const ModelTraits& traits_;
  std::mt19937 random_;
  RandomModel model_;
};

std::string Bool(bool value) { return value ? "true" : "false"; }

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::random_device random;
  for (int attempt = 0; attempt < 16; ++attempt) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("longsight-test-" + std::to_string(random()) + std::to_string(random()));
    if (std::filesystem::create_directory(path)) {
      path_ = path.string();
      return;
    }
  }
  throw std::runtime_error("no temporary folder could be made");
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string SafetensorsBytes(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

std::string SafetensorsBytes(const std::map<std::string, RawTensor>& tensors, int padding) {
  std::string header = "{", data;
  for (const auto& [name, tensor] : tensors) {
    if (header.size() > 1) header += ",";
    header += "\"" + name + "\":{\"dtype\":\"" + tensor.dtype + "\",\"shape\":[";
    for (size_t i = 0; i < tensor.shape.size(); ++i) {
      header += (i == 0 ? "" : ",") + std::to_string(tensor.shape[i]);
    }
    header += "],\"data_offsets\":[" + std::to_string(data.size()) + ",";
    data += tensor.bytes;
    header += std::to_string(data.size()) + "]}";
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8 + static_cast<size_t>(padding), ' ');
  return SafetensorsBytes(header, data);
}

RandomModel MakeRandomModel(const reference::Config& config, const ModelTraits& traits) {
  return ModelBuilder(config, traits).Build();
}

std::string ConfigFields(const reference::Config& config, const ModelTraits& traits,
                         const std::string& architecture) {
  const auto number = [](const char* name, int64_t value) {
    return std::string("\"") + name + "\": " + std::to_string(value) + ", ";
  };
  return "\"architectures\": [\"" + architecture + "\"], " + number("hidden_size", config.hidden) +
         number("num_attention_heads", config.heads) +
         number("num_key_value_heads", config.kv_heads) + number("head_dim", config.head_size) +
         number("intermediate_size", config.intermediate) +
         number("vocab_size", config.vocabulary) +
         number("num_hidden_layers", static_cast<int64_t>(config.layers.size())) +
         "\"rms_norm_eps\": " + std::to_string(config.norm_epsilon) +
         ", \"rope_theta\": " + std::to_string(config.rope_theta) + ", " +
         number("max_position_embeddings", traits.max_context) +
         "\"hidden_act\": \"silu\", \"eos_token_id\": [2, 3], \"tie_word_embeddings\": " +
         Bool(traits.tied);
}

reference::Config SmallConfig(size_t layers) {
  return {.hidden = 64,
          .heads = 4,
          .kv_heads = 2,
          .head_size = 16,
          .intermediate = 128,
          .vocabulary = 200,
          .norm_epsilon = 1e-5,
          .rope_theta = 1e4,
          .layers = std::vector<reference::Config::Layer>(layers)};
}

void WriteLlama(const TemporaryFolder& folder, const reference::Config& config,
                const ModelTraits& traits) {
  WriteFile(folder.File("model.safetensors"),
            SafetensorsBytes(MakeRandomModel(config, traits).tensors));
  WriteFile(folder.File("config.json"),
            "{" + ConfigFields(config, traits, "LlamaForCausalLM") + "}");
}

}  // namespace longsight::test

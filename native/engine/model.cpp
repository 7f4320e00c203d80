#include "engine/model.h"

#include <filesystem>

#include "engine/error.h"
#include "engine/families/families.h"
#include "engine/json.h"

namespace longsight {
namespace {

// A config is a few kilobytes; a bound keeps a wrong file from being parsed for minutes.
constexpr size_t kMaxConfigBytes = 16 << 20;

json::Value ReadJsonObject(const std::string& path) {
  const auto file = MappedFile::Open(path);
  if (file->size() > kMaxConfigBytes) {
    throw Error(ErrorCode::kModelFileInvalid, path + " is too large for a configuration file");
  }
  json::Value value;
  try {
    value = json::Parse(file->text());
  } catch (const json::ParseError& error) {
    throw Error(ErrorCode::kModelFileInvalid, path + " is not valid JSON: " + error.what());
  }
  if (value.AsObject() == nullptr) {
    throw Error(ErrorCode::kModelFileInvalid, path + " does not hold a JSON object");
  }
  return value;
}

// `eos_token_id` is a number, or an array of them.
std::vector<uint32_t> ReadEndTokens(const json::Value& object, const std::string& path,
                                    int64_t vocabulary) {
  const json::Value* field = object.Find("eos_token_id");
  if (field == nullptr || field->IsNull()) return {};
  json::Array one;
  const json::Array* ids = field->AsArray();
  if (ids == nullptr) {
    one.push_back(*field);
    ids = &one;
  }
  std::vector<uint32_t> tokens;
  for (const json::Value& id : *ids) {
    const json::Number* number = id.AsNumber();
    if (number == nullptr || !number->is_integer || number->integer < 0 ||
        number->integer >= vocabulary) {
      throw Error(ErrorCode::kModelFileInvalid,
                  path + ": eos_token_id is not a token of the vocabulary");
    }
    tokens.push_back(static_cast<uint32_t>(number->integer));
  }
  return tokens;
}

class WeightReader {
 public:
  WeightReader(const DecoderSpec& spec, WeightStore& store) : spec_(spec), store_(store) {}

  LayerWeights ReadLayer(int64_t index) {
    const std::string prefix = "model.layers." + std::to_string(index) + ".";
    const LayerTensorNames& names = spec_.names;
    LayerWeights layer;
    layer.attention_norm = store_.GetFloats(prefix + names.attention_norm, spec_.hidden);
    layer.query =
        ReadLinear(prefix + names.query, spec_.query_size(), spec_.hidden, spec_.qkv_bias);
    layer.key = ReadLinear(prefix + names.key, spec_.kv_size(), spec_.hidden, spec_.qkv_bias);
    layer.value = ReadLinear(prefix + names.value, spec_.kv_size(), spec_.hidden, spec_.qkv_bias);
    layer.query_norm = ReadOptionalNorm(prefix, names.query_norm);
    layer.key_norm = ReadOptionalNorm(prefix, names.key_norm);
    layer.output =
        ReadLinear(prefix + names.output, spec_.hidden, spec_.query_size(), spec_.output_bias);
    layer.mlp_norm = store_.GetFloats(prefix + names.mlp_norm, spec_.hidden);
    ReadGateAndUp(prefix, layer);
    layer.down = ReadLinear(prefix + names.down, spec_.hidden, spec_.intermediate, spec_.mlp_bias);
    return layer;
  }

 private:
  Linear ReadLinear(const std::string& module, int64_t out, int64_t in, bool has_bias) {
    Linear linear{store_.Get(module + ".weight", {out, in}), {}};
    if (has_bias) linear.bias = store_.GetFloats(module + ".bias", out);
    return linear;
  }

  void ReadGateAndUp(const std::string& prefix, LayerWeights& layer) {
    const LayerTensorNames& names = spec_.names;
    const int64_t rows = spec_.intermediate;
    if (names.fused_gate_up.empty()) {
      layer.gate = ReadLinear(prefix + names.gate, rows, spec_.hidden, spec_.mlp_bias);
      layer.up = ReadLinear(prefix + names.up, rows, spec_.hidden, spec_.mlp_bias);
      return;
    }
    const Tensor fused =
        store_.Get(prefix + names.fused_gate_up + ".weight", {2 * rows, spec_.hidden});
    layer.gate.weight = fused.Rows(0, rows);
    layer.up.weight = fused.Rows(rows, rows);
  }

  std::vector<float> ReadOptionalNorm(const std::string& prefix, const std::string& name) {
    if (name.empty()) return {};
    return store_.GetFloats(prefix + name, spec_.head_size);
  }

  const DecoderSpec& spec_;
  WeightStore& store_;
};

// Tensors that published files carry without need: old Llama exports save the rotary frequencies,
// and some tied models save the head a second time.
bool IsRedundant(const std::string& name, const DecoderSpec& spec) {
  return name.ends_with(".rotary_emb.inv_freq") ||
         (spec.tied_embeddings && name == "lm_head.weight");
}

void RefuseUnknownTensors(const Model& model) {
  for (const std::string& name : model.store.Unused()) {
    if (IsRedundant(name, model.spec)) continue;
    throw Error(ErrorCode::kModelUnsupported, "the weights hold tensor " + name + ", which " +
                                                  model.spec.architecture +
                                                  " with this config.json does not use");
  }
}

}  // namespace

Model LoadModel(const std::string& model_dir) {
  const std::filesystem::path dir(model_dir);
  std::error_code ignored;
  if (!std::filesystem::is_directory(dir, ignored)) {
    throw Error(ErrorCode::kModelFileMissing, model_dir + " is not a folder");
  }
  const std::string config_path = (dir / "config.json").string();
  const json::Value config = ReadJsonObject(config_path);

  Model model;
  model.spec = ReadDecoderSpec(*config.AsObject());
  const DecoderSpec& spec = model.spec;
  const std::string generation_path = (dir / "generation_config.json").string();
  if (std::filesystem::exists(generation_path, ignored)) {
    model.end_tokens =
        ReadEndTokens(ReadJsonObject(generation_path), generation_path, spec.vocabulary);
  }
  if (model.end_tokens.empty()) {
    model.end_tokens = ReadEndTokens(config, config_path, spec.vocabulary);
  }

  model.store = WeightStore::Open(model_dir);
  model.embedding = model.store.Get("model.embed_tokens.weight", {spec.vocabulary, spec.hidden});
  WeightReader reader(spec, model.store);
  for (int64_t i = 0; i < spec.layer_count(); ++i) model.layers.push_back(reader.ReadLayer(i));
  model.final_norm = model.store.GetFloats("model.norm.weight", spec.hidden);
  model.head.weight = spec.tied_embeddings
                          ? model.embedding
                          : model.store.Get("lm_head.weight", {spec.vocabulary, spec.hidden});
  RefuseUnknownTensors(model);
  model.weights_bytes = model.store.used_bytes();
  return model;
}

void VisitWeights(const Model& model, const WeightVisitor& visit) {
  const auto vector = [&](const auto& values) {
    visit.vector(values.data(), static_cast<int64_t>(values.size() * sizeof(values[0])));
  };
  visit.matrix(model.embedding);
  for (const LayerWeights& layer : model.layers) {
    for (const auto* norm :
         {&layer.attention_norm, &layer.mlp_norm, &layer.query_norm, &layer.key_norm}) {
      vector(*norm);
    }
    for (const Linear* l : {&layer.query, &layer.key, &layer.value, &layer.output, &layer.gate,
                            &layer.up, &layer.down}) {
      visit.linear(l->weight);
      visit.bias(l->bias);
    }
  }
  vector(model.final_norm);
  visit.matrix(model.head.weight);
  visit.bias(model.head.bias);
  vector(model.spec.rope.inverse_frequency);
}

}  // namespace longsight

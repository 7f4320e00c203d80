// Model folders whose config is wrong, unknown or unsupported, and what a config says beyond the
// tensors.
#include "engine/model.h"

#include <filesystem>
#include <string>

#include "check.h"
#include "engine/families/families.h"
#include "engine/json.h"
#include "engine/rope_frequencies.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

// A valid config of one layer; `fields` (each with a comma in front) are added, and `without` is
// taken out.
std::string Config(const std::string& architecture, const std::string& fields,
                   const std::string& without = "") {
  std::string text = "{\"architectures\": [\"" + architecture + "\"]";
  const std::pair<const char*, const char*> base[] = {{"hidden_size", "32"},
                                                      {"num_attention_heads", "4"},
                                                      {"num_key_value_heads", "2"},
                                                      {"intermediate_size", "64"},
                                                      {"vocab_size", "50"},
                                                      {"num_hidden_layers", "2"},
                                                      {"max_position_embeddings", "1000"}};
  for (const auto& [name, value] : base) {
    if (name != without) text += std::string(", \"") + name + "\": " + value;
  }
  return text + fields + "}";
}

DecoderSpec Read(const std::string& config) {
  return ReadDecoderSpec(*json::Parse(config).AsObject());
}

void Refuses(ErrorCode code, const std::string& part, const std::string& config) {
  CHECK_ERROR(code, part, [&] { Read(config); });
  CHECK_ERROR(code, "config.json", [&] { Read(config); });
}

void RefusesUnsupported() {
  const auto unsupported = [](const std::string& part, const std::string& fields,
                              const std::string& architecture = "LlamaForCausalLM") {
    Refuses(ErrorCode::kModelUnsupported, part, Config(architecture, fields));
  };
  unsupported("\"GPT2LMHeadModel\"; supported are LlamaForCausalLM", "", "GPT2LMHeadModel");
  unsupported("hidden_act is \"gelu\"", ", \"hidden_act\": \"gelu\"");
  unsupported("quantization_config", ", \"quantization_config\": {\"bits\": 4}");
  unsupported("rope_type is \"yarn\"",
              ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0}");
  unsupported("rope_type is \"linear\"",
              ", \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 2}");
  unsupported("mscale is a field",
              ", \"rope_parameters\": {\"rope_type\": \"default\", \"mscale\": 2}");
  unsupported("logit_cap is a field", ", \"logit_cap\": 30.0");
  unsupported("head_dim is 20", ", \"head_dim\": 20");
  unsupported("partial_rotary_factor leaves no even", ", \"partial_rotary_factor\": 0.4");
  unsupported("rope_interleaved is true", ", \"rope_interleaved\": true");
  unsupported("holds \"chunked_attention\"",
              ", \"layer_types\": [\"full_attention\", \"chunked_attention\"]", "Qwen3ForCausalLM");
  // A field of another family is no harmless one.
  unsupported("no_rope_layers is a field", ", \"no_rope_layers\": [1, 1]");
}

void RefusesInvalid() {
  const auto invalid = [](const std::string& part, const std::string& config) {
    Refuses(ErrorCode::kModelFileInvalid, part, config);
  };
  const auto llama = [](const std::string& fields, const std::string& without = "") {
    return Config("LlamaForCausalLM", fields, without);
  };
  invalid("architectures", "{}");
  invalid("hidden_size is missing", llama("", "hidden_size"));
  invalid("hidden_size is a string", llama(", \"hidden_size\": \"32\"", "hidden_size"));
  invalid("vocab_size is not a whole number", llama(", \"vocab_size\": -5", "vocab_size"));
  invalid("vocab_size is not a whole number", llama(", \"vocab_size\": 1e300", "vocab_size"));
  invalid("num_hidden_layers is not a whole number",
          llama(", \"num_hidden_layers\": 1000000000", "num_hidden_layers"));
  invalid("multiple of num_key_value_heads",
          llama(", \"num_key_value_heads\": 3", "num_key_value_heads"));
  invalid("multiple of num_attention_heads", llama(", \"hidden_size\": 33", "hidden_size"));
  invalid("rope_theta is not a number above zero", llama(", \"rope_theta\": 0"));
  invalid("attention_bias is not true or false", llama(", \"attention_bias\": 1"));
  invalid("one entry for each hidden layer",
          Config("Qwen3ForCausalLM", ", \"layer_types\": [\"full_attention\"]"));
  invalid(
      "do not say how wide",
      Config(
          "SmolLM3ForCausalLM",
          ", \"sliding_window\": 8, \"layer_types\": [\"full_attention\", \"sliding_attention\"]"));
  invalid("no_rope_layers has fewer", Config("SmolLM3ForCausalLM", ", \"no_rope_layers\": [1]"));
}

void ReadsWhatMatters() {
  const DecoderSpec qwen2 =
      Read(Config("Qwen2ForCausalLM", ", \"sliding_window\": 4096, \"rope_theta\": 1000000.0"));
  CHECK(qwen2.qkv_bias && !qwen2.output_bias && qwen2.layers[1].window == 0);
  CHECK(qwen2.rope.inverse_frequency[1] == RopeFrequencies(1e6, 8)[1]);

  const DecoderSpec chunked =
      Read(Config("Qwen2ForCausalLM",
                  ", \"dual_chunk_attention_config\": {\"chunk_size\": 600, \"local_size\": 32, "
                  "\"original_max_position_embeddings\": 600}"));
  CHECK(chunked.max_context == 600);

  // Above 2^31: a double, in both spellings.
  const double theta = 3580165449.0;
  for (const char* fields :
       {", \"rope_theta\": 3580165449.0",
        ", \"rope_parameters\": {\"rope_theta\": 3580165449.0, \"rope_type\": \"default\"}"}) {
    CHECK(Read(Config("LlamaForCausalLM", fields)).rope.inverse_frequency ==
          RopeFrequencies(theta, 8));
  }

  const DecoderSpec glm = Read(Config("GlmForCausalLM", ""));
  CHECK(glm.rope.rotary == 4 && glm.rope.interleaved && glm.qkv_bias && !glm.output_bias);
  CHECK(glm.rope.inverse_frequency == RopeFrequencies(1e4, 4));

  const DecoderSpec smol = Read(Config("SmolLM3ForCausalLM", ", \"no_rope_layer_interval\": 2"));
  CHECK(smol.layers[0].rope && !smol.layers[1].rope && smol.tied_embeddings);
  CHECK(SupportedArchitectures().size() == 5);
}

void LoadsFolders() {
  const reference::Config config{.hidden = 16,
                                 .heads = 2,
                                 .kv_heads = 1,
                                 .head_size = 8,
                                 .intermediate = 24,
                                 .vocabulary = 50,
                                 .norm_epsilon = 1e-5,
                                 .rope_theta = 1e4,
                                 .layers = {{}}};
  const TemporaryFolder folder;
  const auto load = [&] { LoadModel(folder.path()); };
  CHECK_ERROR(ErrorCode::kModelFileMissing, "is not a folder",
              [] { LoadModel("/nonexistent/model"); });
  CHECK_ERROR(ErrorCode::kModelFileMissing, "config.json cannot be opened", load);
  WriteFile(folder.File("config.json"), "{\"architectures\": ");
  CHECK_ERROR(ErrorCode::kModelFileInvalid, "config.json is not valid JSON", load);
  WriteFile(folder.File("config.json"), "[]");
  CHECK_ERROR(ErrorCode::kModelFileInvalid, "does not hold a JSON object", load);

  const ModelTraits traits;
  const std::string fields = ConfigFields(config, traits, "LlamaForCausalLM");
  WriteFile(folder.File("config.json"), "{" + fields + "}");
  CHECK_ERROR(ErrorCode::kModelFileMissing, "neither model.safetensors", load);
  RandomModel random = MakeRandomModel(config, traits);
  const std::string weights = folder.File("model.safetensors");
  WriteFile(weights, SafetensorsBytes(random.tensors));
  const Model model = LoadModel(folder.path());
  CHECK(model.end_tokens == std::vector<uint32_t>({2, 3}));
  int64_t bytes = 0;
  for (const auto& [name, tensor] : random.tensors)
    bytes += static_cast<int64_t>(tensor.bytes.size());
  CHECK(model.weights_bytes == bytes);

  WriteFile(folder.File("generation_config.json"), "{\"eos_token_id\": 7}");
  CHECK(LoadModel(folder.path()).end_tokens == std::vector<uint32_t>({7}));
  WriteFile(folder.File("generation_config.json"), "{\"eos_token_id\": 50}");
  CHECK_ERROR(ErrorCode::kModelFileInvalid, "not a token of the vocabulary", load);
  std::filesystem::remove(folder.File("generation_config.json"));

  random.tensors["model.layers.0.self_attn.q_proj.bias"] = {"BF16", {16}, std::string(32, '\0')};
  WriteFile(weights, SafetensorsBytes(random.tensors));
  CHECK_ERROR(ErrorCode::kModelUnsupported, "q_proj.bias", load);
  random.tensors.erase("model.layers.0.self_attn.q_proj.bias");
  random.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {
      "F32", {4}, std::string(16, '\0')};
  WriteFile(weights, SafetensorsBytes(random.tensors));
  load();  // older exports carry the frequencies
  random.tensors.erase("model.norm.weight");
  WriteFile(weights, SafetensorsBytes(random.tensors));
  CHECK_ERROR(ErrorCode::kModelFileInvalid, "no tensor model.norm.weight", load);
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::RefusesUnsupported();
  longsight::test::RefusesInvalid();
  longsight::test::ReadsWhatMatters();
  longsight::test::LoadsFolders();
  return longsight::test::Finish("model_test");
}

#include "engine/families/families.h"

namespace longsight {
namespace {

struct Family {
  const char* architecture;
  DecoderSpec (*read)(ConfigReader& config);
};

constexpr Family kFamilies[] = {
    {"LlamaForCausalLM", ReadLlama},     {"GlmForCausalLM", ReadGlm4},
    {"Qwen2ForCausalLM", ReadQwen2},     {"Qwen3ForCausalLM", ReadQwen3},
    {"SmolLM3ForCausalLM", ReadSmolLm3},
};

std::string SupportedText() {
  std::string text;
  for (const Family& family : kFamilies) {
    text += (text.empty() ? "" : ", ") + std::string(family.architecture);
  }
  return text;
}

}  // namespace

DecoderSpec ReadDecoderSpec(const json::Object& object) {
  ConfigReader config(object, "config.json");
  const std::vector<std::string> names =
      config.StringArray("architectures").value_or(std::vector<std::string>());
  if (names.size() != 1) config.FailInvalid("architectures", "does not name one architecture");
  for (const Family& family : kFamilies) {
    if (names[0] != family.architecture) continue;
    DecoderSpec spec = family.read(config);
    spec.architecture = names[0];
    config.RefuseUnread();
    return spec;
  }
  config.FailUnsupported("architectures",
                         "is \"" + names[0] + "\"; supported are " + SupportedText());
}

std::vector<std::string> SupportedArchitectures() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.architecture);
  return names;
}

}  // namespace longsight

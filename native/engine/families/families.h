// One file per model family maps its config.json to the decoder's description. A new family is one
// more file and one more row in families.cpp.
#pragma once

#include <string>
#include <vector>

#include "engine/config_reader.h"
#include "engine/decoder_spec.h"

namespace longsight {

DecoderSpec ReadGlm4(ConfigReader& config);
DecoderSpec ReadLlama(ConfigReader& config);
DecoderSpec ReadQwen2(ConfigReader& config);
DecoderSpec ReadQwen3(ConfigReader& config);
DecoderSpec ReadSmolLm3(ConfigReader& config);

// Reads the whole config.json: chooses the family by `architectures`, refuses whatever no one read.
// Throws Error(kModelUnsupported) that names what is supported, or Error(kModelFileInvalid).
DecoderSpec ReadDecoderSpec(const json::Object& config);

// Such as "LlamaForCausalLM", in the order of the table.
std::vector<std::string> SupportedArchitectures();

}  // namespace longsight

// Hugging Face model folders, made for a test: random weights of a given shape, in a temporary
// folder.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reference/decoder_reference.h"

namespace longsight::test {

// A folder under the system's temporary one, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

void WriteFile(const std::string& path, const std::string& bytes);

// A safetensors file of `header` (its length in front) and `data`.
std::string SafetensorsBytes(const std::string& header, const std::string& data);

struct RawTensor {
  std::string dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};

// `padding` spaces behind the header's JSON move the data off its alignment.
std::string SafetensorsBytes(const std::map<std::string, RawTensor>& tensors, int padding = 0);

// What a random model may differ in beside the reference's config.
struct ModelTraits {
  std::string dtype = "BF16";
  bool tied = false;
  bool qkv_bias = false;
  bool output_bias = false;
  bool mlp_bias = false;
  uint32_t seed = 1;
  int64_t max_context = 4096;
};

struct RandomModel {
  std::map<std::string, RawTensor> tensors;  // as the file holds them
  reference::Weights weights;                // the same numbers
};
RandomModel MakeRandomModel(const reference::Config& config, const ModelTraits& traits);

// The fields that every family's config.json has, without the braces; `architecture` such as
// "LlamaForCausalLM".
std::string ConfigFields(const reference::Config& config, const ModelTraits& traits,
                         const std::string& architecture);

// A shape for tests to which the engine is what matters, not the model.
reference::Config SmallConfig(size_t layers);
// A Llama of `config`.
void WriteLlama(const TemporaryFolder& folder, const reference::Config& config,
                const ModelTraits& traits = {});

}  // namespace longsight::test

#include "reference/tensor_reader.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>

namespace longsight::reference {
namespace {

double ReadElement(const std::string& dtype, const char* p) {
  if (dtype == "F32") {
    float value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }
  if (dtype == "I64") {
    int64_t value;
    std::memcpy(&value, p, sizeof value);
    return static_cast<double>(value);
  }
  // BF16 is the upper half of an fp32.
  const char widened[4] = {0, 0, p[0], p[1]};
  float value;
  std::memcpy(&value, widened, sizeof value);
  return value;
}

int64_t ElementBytes(const std::string& dtype) {
  if (dtype == "BF16") return 2;
  if (dtype == "F32") return 4;
  if (dtype == "I64") return 8;
  throw std::runtime_error("a golden file holds a tensor of type " + dtype);
}

}  // namespace

std::map<std::string, StoredTensor> ReadTensors(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  const std::string header = bytes.substr(8, header_bytes);
  const char* data = bytes.data() + 8 + header_bytes;

  // "name":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}
  static const std::regex entry(
      R"re("([^"]+)":\{"dtype":"(\w+)","shape":\[([\d,]*)\],"data_offsets":\[(\d+),(\d+)\]\})re");
  std::map<std::string, StoredTensor> tensors;
  for (std::sregex_iterator it(header.begin(), header.end(), entry), end; it != end; ++it) {
    const std::string dtype = (*it)[2];
    StoredTensor tensor;
    const std::string sizes = (*it)[3];
    static const std::regex number(R"(\d+)");
    for (std::sregex_iterator size(sizes.begin(), sizes.end(), number); size != end; ++size) {
      tensor.shape.push_back(std::stoll(size->str()));
    }
    const int64_t stop = std::stoll((*it)[5]);
    for (int64_t at = std::stoll((*it)[4]); at < stop; at += ElementBytes(dtype)) {
      tensor.values.push_back(ReadElement(dtype, data + at));
    }
    tensors.emplace((*it)[1], std::move(tensor));
  }
  return tensors;
}

}  // namespace longsight::reference

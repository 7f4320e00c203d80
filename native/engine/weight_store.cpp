#include "engine/weight_store.h"

#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <span>

#include "engine/error.h"
#include "engine/json.h"
#include "engine/safetensors_header.h"

namespace longsight {
namespace {

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

std::string Join(const std::string& dir, const std::string& name) {
  return (std::filesystem::path(dir) / name).string();
}

// True for a plain file name: a shard must lie in the model's own folder.
bool IsPlainFileName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\:\0", 4)) == std::string::npos;
}

template <typename Int>
std::string ShapeText(const std::vector<Int>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

std::optional<DType> ComputableType(const std::string& dtype) {
  if (dtype == "BF16") return DType::kBF16;
  if (dtype == "F16") return DType::kF16;
  if (dtype == "F32") return DType::kF32;
  return std::nullopt;
}

// tensor name -> shard file name, from the index.
std::map<std::string, std::string> ReadIndex(const std::string& path) {
  const auto file = MappedFile::Open(path);
  json::Value root;
  try {
    root = json::Parse(file->text(), 4);
  } catch (const json::ParseError& error) {
    throw Error(ErrorCode::kModelFileInvalid, path + " is not valid JSON: " + error.what());
  }
  const json::Value* map = root.Find("weight_map");
  if (map == nullptr || map->AsObject() == nullptr) {
    throw Error(ErrorCode::kModelFileInvalid, path + " has no weight_map object");
  }
  std::map<std::string, std::string> index;
  for (const auto& [tensor, shard] : *map->AsObject()) {
    const std::string* name = shard.AsString();
    if (name == nullptr || !IsPlainFileName(*name)) {
      throw Error(ErrorCode::kModelFileInvalid,
                  path + ": the shard of tensor " + tensor + " is not a plain file name");
    }
    index.emplace(tensor, *name);
  }
  return index;
}

}  // namespace

int64_t Tensor::size() const {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

Tensor Tensor::Rows(int64_t begin, int64_t count) const {
  Tensor part = *this;
  const int64_t row_elements = size() / shape[0];
  part.data = static_cast<const std::byte*>(data) + begin * row_elements * DTypeBytes(type);
  part.shape[0] = count;
  return part;
}

WeightStore WeightStore::Open(const std::string& model_dir) {
  WeightStore store;
  const std::string single = Join(model_dir, kSingleFile);
  const std::string index = Join(model_dir, kIndexFile);
  std::error_code ignored;
  if (std::filesystem::exists(single, ignored)) {
    store.AddFile(single, nullptr);
  } else if (std::filesystem::exists(index, ignored)) {
    store.OpenSharded(model_dir, index);
  } else {
    throw Error(ErrorCode::kModelFileMissing,
                model_dir + " has neither " + kSingleFile + " nor " + kIndexFile);
  }
  return store;
}

void WeightStore::OpenSharded(const std::string& model_dir, const std::string& index_path) {
  const std::map<std::string, std::string> index = ReadIndex(index_path);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : index) shards.insert(shard);
  for (const std::string& shard : shards) AddFile(Join(model_dir, shard), &index);
  for (const auto& [tensor, shard] : index) {
    if (!Has(tensor)) {
      throw Error(ErrorCode::kModelFileInvalid,
                  shard + ": has no tensor " + tensor + ", which " + index_path + " promises");
    }
  }
}

void WeightStore::AddFile(const std::string& path,
                          const std::map<std::string, std::string>* index) {
  const auto file = MappedFile::Open(path);
  const std::string shard = std::filesystem::path(path).filename().string();
  for (SafetensorsEntry& entry :
       ParseSafetensorsHeader(std::span(file->data(), file->size()), path)) {
    if (index != nullptr) {
      const auto listed = index->find(entry.name);
      if (listed == index->end() || listed->second != shard) {
        throw Error(ErrorCode::kModelFileInvalid,
                    path + ": tensor " + entry.name + " is not listed for this shard in the index");
      }
    }
    entries_.emplace(entry.name, Entry{file, std::move(entry.dtype), std::move(entry.shape),
                                       entry.begin, entry.end});
  }
}

// The format does not promise alignment (the header may have any length): a tensor that lies
// crooked is copied once.
const void* WeightStore::AlignedData(const Entry& entry, int64_t element_bytes) {
  const std::byte* data = entry.file->data() + entry.begin;
  if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(element_bytes) == 0) return data;
  const size_t bytes = entry.end - entry.begin;
  realigned_.push_back(std::make_unique_for_overwrite<uint64_t[]>((bytes + 7) / 8));
  std::memcpy(realigned_.back().get(), data, bytes);
  return realigned_.back().get();
}

Tensor WeightStore::Get(const std::string& name, const std::vector<int64_t>& shape) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    throw Error(ErrorCode::kModelFileInvalid,
                "the weights have no tensor " + name + ", which config.json asks for");
  }
  Entry& entry = found->second;
  const bool same_shape =
      std::equal(shape.begin(), shape.end(), entry.shape.begin(), entry.shape.end(),
                 [](int64_t a, uint64_t b) { return static_cast<uint64_t>(a) == b; });
  if (!same_shape) {
    throw Error(ErrorCode::kModelFileInvalid, entry.file->path() + ": tensor " + name +
                                                  " has shape " + ShapeText(entry.shape) +
                                                  ", but config.json asks for " + ShapeText(shape));
  }
  const std::optional<DType> type = ComputableType(entry.dtype);
  if (!type) {
    throw Error(ErrorCode::kModelUnsupported, entry.file->path() + ": tensor " + name + " is " +
                                                  entry.dtype +
                                                  "; BF16, F16 and F32 are supported");
  }
  if (!entry.used) used_bytes_ += static_cast<int64_t>(entry.end - entry.begin);
  entry.used = true;
  return Tensor{name, AlignedData(entry, DTypeBytes(*type)), *type, shape};
}

std::vector<float> WeightStore::GetFloats(const std::string& name, int64_t length) {
  const Tensor tensor = Get(name, {length});
  std::vector<float> values(static_cast<size_t>(length));
  WidenToFloat(tensor.data, tensor.type, length, values.data());
  return values;
}

std::vector<std::string> WeightStore::Unused() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (!entry.used) names.push_back(name);
  }
  return names;
}

}  // namespace longsight

// The tensors of a model folder: one model.safetensors, or shards listed by
// model.safetensors.index.json.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/dtype.h"
#include "engine/mapped_file.h"

namespace longsight {

// A tensor where it lies in a mapped file: row-major, aligned to its element size. The store keeps
// the bytes alive.
struct Tensor {
  std::string name;
  const void* data = nullptr;
  DType type = DType::kF32;
  std::vector<int64_t> shape;

  // Elements of the shape; checked against the file when the store was opened.
  int64_t size() const;
  // Rows [begin, begin + count) of a matrix, sharing its bytes: how fused projections are told
  // apart.
  Tensor Rows(int64_t begin, int64_t count) const;
};

class WeightStore {
 public:
  // Maps and checks every file. Throws Error: kModelFileMissing (what is absent), kModelFileInvalid
  // (what is wrong where).
  static WeightStore Open(const std::string& model_dir);

  bool Has(const std::string& name) const { return entries_.contains(name); }
  // Throws Error: kModelFileInvalid when the tensor is absent or has another shape than `shape`,
  // kModelUnsupported when its dtype is not F32, F16 or BF16.
  Tensor Get(const std::string& name, const std::vector<int64_t>& shape);
  // A small tensor (a norm, a bias), widened to fp32.
  std::vector<float> GetFloats(const std::string& name, int64_t length);
  // Names that Get never asked for: what the model description does not know.
  std::vector<std::string> Unused() const;
  // Bytes of all tensors that were asked for.
  int64_t used_bytes() const { return used_bytes_; }

 private:
  struct Entry {
    std::shared_ptr<const MappedFile> file;
    std::string dtype;
    std::vector<uint64_t> shape;
    uint64_t begin, end;
    bool used = false;
  };
  void AddFile(const std::string& path, const std::map<std::string, std::string>* index);
  void OpenSharded(const std::string& model_dir, const std::string& index_path);
  const void* AlignedData(const Entry& entry, int64_t element_bytes);

  std::map<std::string, Entry> entries_;
  std::vector<std::unique_ptr<uint64_t[]>> realigned_;
  int64_t used_bytes_ = 0;
};

}  // namespace longsight

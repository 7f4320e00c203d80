// Weight files that are damaged, lying or hostile: each is refused with a message that names the
// file and the tensor.
#include "engine/weight_store.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "check.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

void ExpectInvalid(const std::string& bytes, const std::string& part) {
  const TemporaryFolder folder;
  WriteFile(folder.File("model.safetensors"), bytes);
  CHECK_ERROR(ErrorCode::kModelFileInvalid, part, [&] { WeightStore::Open(folder.path()); });
  CHECK_ERROR(ErrorCode::kModelFileInvalid, "model.safetensors",
              [&] { WeightStore::Open(folder.path()); });
}

std::string Entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

void RefusesHeaders() {
  const std::string twelve(12, '\1');
  const auto one = [&](const std::string& entry) {
    return SafetensorsBytes("{" + entry + "}", twelve);
  };
  ExpectInvalid("", "too short");
  ExpectInvalid("1234567", "too short");
  ExpectInvalid(std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 8) + "{}", "more than the limit");
  ExpectInvalid(std::string("\x00\xE1\xF5\x05\0\0\0\0", 8), "truncated");  // exactly the limit
  ExpectInvalid(std::string("\x10\0\0\0\0\0\0\0", 8) + "{}", "has only 10");
  ExpectInvalid(SafetensorsBytes("[]", ""), "not a JSON object");
  ExpectInvalid(SafetensorsBytes("{\"\xC0\x80\":1}", ""), "UTF-8");
  ExpectInvalid(
      one(Entry("a", "BF16", "[6]", "[0,12]") + "," + Entry("a", "BF16", "[6]", "[0,12]")),
      "duplicate key \"a\"");
  ExpectInvalid(one("\"a\":5"), "tensor a: is not described by an object");
  ExpectInvalid(one("\"a\":{\"dtype\":\"BF16\",\"shape\":[6]}"), "tensor a: has no data_offsets");
  ExpectInvalid(one("\"a\":{\"dtype\":\"BF16\",\"shape\":[6],\"data_offsets\":[0,12],\"x\":1}"),
                "unknown field \"x\"");
  ExpectInvalid(one("\"__metadata__\":{\"format\":1}"), "is not a string");
}

void RefusesRanges() {
  const std::string twelve(12, '\1');
  const auto one = [&](const std::string& entry) {
    return SafetensorsBytes("{" + entry + "}", twelve);
  };
  ExpectInvalid(one(Entry("a", "BF17", "[6]", "[0,12]")),
                "tensor a: has the unknown dtype \"BF17\"");
  ExpectInvalid(one(Entry("a", "BF16", "[-6]", "[0,12]")), "whole number >= 0");
  ExpectInvalid(one(Entry("a", "BF16", "[6.5]", "[0,12]")), "whole number >= 0");
  ExpectInvalid(one(Entry("a", "BF16", "[6]", "[-1,12]")), "whole number >= 0");
  ExpectInvalid(one(Entry("a", "BF16", "[6]", "[0,12,13]")), "two numbers");
  ExpectInvalid(one(Entry("a", "BF16", "[6]", "[12,0]")), "run backwards");
  ExpectInvalid(one(Entry("a", "BF16", "[7]", "[0,14]")),
                "ends at byte 14 of the data, but the file has 12");
  ExpectInvalid(one(Entry("a", "BF16", "[5]", "[0,12]")),
                "need 10 bytes, but data_offsets give 12");
  ExpectInvalid(one(Entry("a", "F64", "[4294967296,4294967296]", "[0,12]")), "overflows 64 bits");
  // 2^61 x 8 bytes wraps to 0 in 64 bits.
  ExpectInvalid(one(Entry("a", "F64", "[2305843009213693952]", "[0,0]")), "overflows 64 bits");
  ExpectInvalid(one(Entry("a", "BF16", "[4]", "[4,12]")), "tensor a: leaves a hole of 4 bytes");
  ExpectInvalid(one(Entry("a", "BF16", "[4]", "[0,8]")), "4 bytes after the last tensor");
  ExpectInvalid(one(Entry("a", "BF16", "[4]", "[0,8]") + "," + Entry("b", "BF16", "[4]", "[4,12]")),
                "tensor b: overlaps");
}

void RefusesEveryTruncation() {
  const std::string whole = SafetensorsBytes(
      {{"a", {"F32", {3}, std::string(12, '\1')}}, {"b", {"BF16", {2, 2}, "12345678"}}});
  for (size_t length = 0; length < whole.size(); ++length) {
    const TemporaryFolder folder;
    WriteFile(folder.File("model.safetensors"), whole.substr(0, length));
    CHECK_ERROR(ErrorCode::kModelFileInvalid, "model.safetensors",
                [&] { WeightStore::Open(folder.path()); });
  }
}

void ChecksWhatIsAskedFor() {
  const TemporaryFolder folder;
  WriteFile(folder.File("model.safetensors"),
            SafetensorsBytes({{"floats", {"F32", {2}, std::string("\0\0\x80\x3F\0\0\0\x40", 8)}},
                              {"ids", {"I64", {1}, std::string(8, '\0')}},
                              {"matrix", {"BF16", {2, 3}, std::string(12, '\0')}}}));
  WeightStore store = WeightStore::Open(folder.path());
  const std::vector<float> floats = store.GetFloats("floats", 2);
  CHECK(floats[0] == 1.0f && floats[1] == 2.0f);
  CHECK_ERROR(ErrorCode::kModelFileInvalid, "no tensor absent", [&] { store.Get("absent", {1}); });
  CHECK_ERROR(ErrorCode::kModelFileInvalid,
              "tensor matrix has shape [2, 3], but config.json asks for [3, 2]",
              [&] { store.Get("matrix", {3, 2}); });
  CHECK_ERROR(ErrorCode::kModelUnsupported, "tensor ids is I64", [&] { store.Get("ids", {1}); });
  CHECK(store.Unused() == std::vector<std::string>({"ids", "matrix"}));
  CHECK(store.Get("matrix", {2, 3}).Rows(1, 1).shape == std::vector<int64_t>({1, 3}));
  CHECK(store.used_bytes() == 8 + 12);
}

void ReadsShards() {
  const TemporaryFolder folder;
  const std::string index = folder.File("model.safetensors.index.json");
  const std::map<std::string, RawTensor> first{{"a", {"BF16", {2}, "1234"}}};
  WriteFile(folder.File("one.safetensors"), SafetensorsBytes(first));
  WriteFile(folder.File("two.safetensors"), SafetensorsBytes({{"b", {"BF16", {1}, "12"}}}));
  WriteFile(index, R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  WeightStore store = WeightStore::Open(folder.path());
  CHECK(store.Has("a") && store.Has("b"));

  const auto open = [&] { WeightStore::Open(folder.path()); };
  WriteFile(index, R"({"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}})");
  CHECK_ERROR(ErrorCode::kModelFileInvalid, "has no tensor b", open);
  WriteFile(index, R"({"weight_map": {"b": "two.safetensors", "c": "one.safetensors"}})");
  CHECK_ERROR(ErrorCode::kModelFileInvalid, "tensor a is not listed", open);
  WriteFile(index, R"({"weight_map": {"a": "three.safetensors"}})");
  CHECK_ERROR(ErrorCode::kModelFileMissing, "three.safetensors", open);
  for (const char* name : {"../one.safetensors", "/etc/passwd", "a\\\\b", "..", ""}) {
    WriteFile(index, std::string(R"({"weight_map": {"a": ")") + name + "\"}}");
    CHECK_ERROR(ErrorCode::kModelFileInvalid, "not a plain file name", open);
  }
  WriteFile(index, "{}");
  CHECK_ERROR(ErrorCode::kModelFileInvalid, "weight_map", open);
}

void RefusesWhatIsNoFile() {
  const TemporaryFolder folder;
  const auto open = [&] { WeightStore::Open(folder.path()); };
  CHECK_ERROR(ErrorCode::kModelFileMissing, "neither model.safetensors nor", open);
  // A FIFO must not be waited for.
  CHECK(mkfifo(folder.File("model.safetensors").c_str(), 0600) == 0);
  CHECK_ERROR(ErrorCode::kModelFileMissing, "not a regular file", open);
  std::filesystem::remove(folder.File("model.safetensors"));
  std::filesystem::create_directory(folder.File("model.safetensors"));
  CHECK_ERROR(ErrorCode::kModelFileMissing, "not a regular file", open);
}

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::RefusesHeaders();
  longsight::test::RefusesRanges();
  longsight::test::RefusesEveryTruncation();
  longsight::test::ChecksWhatIsAskedFor();
  longsight::test::ReadsShards();
  longsight::test::RefusesWhatIsNoFile();
  return longsight::test::Finish("weight_store_test");
}

#include "engine/head_patterns.h"

#include <charconv>
#include <memory>

#include "engine/error.h"
#include "engine/json.h"
#include "engine/mapped_file.h"

namespace longsight {
namespace {

// Beyond any context; keeps sums of them in 64 bits.
constexpr int64_t kMostLines = int64_t{1} << 32;

struct Place {
  const std::string& path;
  size_t layer;
  std::string head;

  [[noreturn]] void Fail(const std::string& what) const {
    throw Error(ErrorCode::kInvalidArgument, "head patterns " + path + ", layer " +
                                                 std::to_string(layer) + ", head \"" + head +
                                                 "\": " + what);
  }
};

int64_t ReadCount(const Place& place, const json::Value& value, const char* name) {
  const json::Number* number = value.AsNumber();
  if (number == nullptr || !number->is_integer || number->integer < 0 ||
      number->integer > kMostLines) {
    place.Fail(std::string(name) + " must be a whole number from 0 up");
  }
  return number->integer;
}

index::PatternKind ReadKind(const Place& place, const json::Value& value) {
  const std::string* name = value.AsString();
  if (name != nullptr && *name == "vertical_and_slash") return index::PatternKind::kVerticalSlash;
  if (name != nullptr && *name == "stream_llm") return index::PatternKind::kAShape;
  if (name != nullptr && *name == "block_sparse") return index::PatternKind::kBlockSparse;
  place.Fail("the pattern must be vertical_and_slash, stream_llm or block_sparse, not " +
             (name != nullptr ? "\"" + *name + "\"" : std::string(value.TypeName())));
}

double ReadFloor(const Place& place, const json::Value& value) {
  const json::Number* number = value.AsNumber();
  if (number == nullptr || !(number->value >= 0 && number->value <= 1)) {
    place.Fail("the recall floor must be a number from 0 to 1");
  }
  return number->value;
}

index::HeadPattern ReadPattern(const Place& place, const json::Value& value) {
  const json::Array* entry = value.AsArray();
  if (entry == nullptr || entry->size() < 3 || entry->size() > 5) {
    place.Fail("the value must be [pattern, a, b, score] or [pattern, a, b, score, recall floor]");
  }
  index::HeadPattern pattern = {ReadKind(place, (*entry)[0]), ReadCount(place, (*entry)[1], "a"),
                                ReadCount(place, (*entry)[2], "b")};
  if (entry->size() == 5) pattern.recall_floor = ReadFloor(place, (*entry)[4]);
  if (pattern.kind == index::PatternKind::kBlockSparse && pattern.a < 1) {
    place.Fail("block_sparse needs at least one block");
  }
  return pattern;
}

int64_t ReadHead(const Place& place, int64_t heads) {
  int64_t head = -1;
  const char* end = place.head.data() + place.head.size();
  const auto [stop, error] = std::from_chars(place.head.data(), end, head);
  // "00" would be head 0 a second time.
  const bool plain = error == std::errc() && stop == end && std::to_string(head) == place.head;
  if (!plain || head < 0 || head >= heads) {
    place.Fail("there is no such head; the model has heads 0 to " + std::to_string(heads - 1));
  }
  return head;
}

}  // namespace

HeadPatterns::HeadPatterns(int64_t layers, int64_t heads)
    : heads_(heads), patterns_(static_cast<size_t>(layers * heads), index::kDefaultPattern) {}

HeadPatterns HeadPatterns::Read(const std::string& path, int64_t layers, int64_t heads) {
  std::shared_ptr<const MappedFile> file;
  try {
    file = MappedFile::Open(path);
  } catch (const Error& error) {
    throw Error(ErrorCode::kInvalidArgument, "head patterns " + path + ": " + error.what());
  }
  return Parse(path, file->text(), layers, heads);
}

HeadPatterns HeadPatterns::Parse(const std::string& name, std::string_view text, int64_t layers,
                                 int64_t heads) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::kInvalidArgument, "head patterns " + name + ": " + what);
  };
  json::Value file;
  try {
    file = json::Parse(text);
  } catch (const json::ParseError& error) {
    fail(error.what());
  }
  const json::Array* list = file.AsArray();
  if (list == nullptr) fail("must be a list of layers, not " + std::string(file.TypeName()));
  if (static_cast<int64_t>(list->size()) != layers) {
    fail("is for a model of " + std::to_string(list->size()) + " layers; this one has " +
         std::to_string(layers));
  }
  HeadPatterns result(layers, heads);
  for (size_t layer = 0; layer < list->size(); ++layer) {
    const json::Object* entries = (*list)[layer].AsObject();
    if (entries == nullptr) fail("layer " + std::to_string(layer) + " must be an object");
    for (const auto& [head, value] : *entries) {
      const Place place = {name, layer, head};
      const int64_t number = ReadHead(place, heads);
      result.patterns_[static_cast<size_t>(static_cast<int64_t>(layer) * heads + number)] =
          ReadPattern(place, value);
    }
  }
  return result;
}

}  // namespace longsight

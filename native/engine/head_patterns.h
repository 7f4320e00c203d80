// Head-pattern files in MInference's JSON shape (microsoft/MInference, minference/configs): a list
// with one object per layer; keys are head numbers as strings, values [pattern, a, b, score]. A
// fifth element, which is ours, is the head's recall floor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "index/pattern.h"

namespace longsight {

class HeadPatterns {
 public:
  // Every head gets index::kDefaultPattern.
  HeadPatterns(int64_t layers, int64_t heads);

  // Heads that a layer's object does not name get index::kDefaultPattern, as in MInference. Throws
  // Error(kInvalidArgument), naming the layer and the head, when the file does not fit a model of
  // this shape or a pattern is unknown or out of range.
  static HeadPatterns Read(const std::string& path, int64_t layers, int64_t heads);
  // The same from the file's text; `name` is what errors call it.
  static HeadPatterns Parse(const std::string& name, std::string_view text, int64_t layers,
                            int64_t heads);

  // [heads] of a layer.
  const index::HeadPattern* layer(int64_t layer) const { return patterns_.data() + layer * heads_; }

 private:
  int64_t heads_;
  std::vector<index::HeadPattern> patterns_;  // [layers, heads]
};

}  // namespace longsight

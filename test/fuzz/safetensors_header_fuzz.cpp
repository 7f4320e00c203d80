// libFuzzer target: any bytes as a safetensors file. Either they are refused with an Error, or
// every promise of the parser's contract holds.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "engine/error.h"
#include "engine/safetensors_header.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto entries = longsight::ParseSafetensorsHeader(
        std::span(reinterpret_cast<const std::byte*>(data), size), "fuzz.safetensors");
    uint64_t at = entries.empty() ? size : entries.front().begin;
    Require(at >= 8);
    for (const auto& entry : entries) {
      Require(entry.begin == at && entry.end >= entry.begin && entry.end <= size);
      at = entry.end;
    }
    Require(at == size);
  } catch (const longsight::Error& error) {
    Require(error.code() == longsight::ErrorCode::kModelFileInvalid);
  }
  return 0;
}

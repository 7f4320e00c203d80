// A backend whose queries and keys have structure planted in them, so that the attention of random
// weights looks like a trained model's: the first keys, the nearest ones, a few bands of slash
// offsets and loose keys that all rows see. What finds it is the running engine.
//
// Planted where the decoder turns queries and keys. A key is a phase e^(i w p) in each of some
// dozen frequencies w, p its position; a query is the sum of the phases of the keys at p - o, for
// the offsets o of its head, which is its own phase times a number that is the head's alone. Their
// product peaks at the offsets, as wide as the frequencies are slow.
#pragma once

#include <complex>
#include <memory>
#include <vector>

#include "bench/shape.h"
#include "engine/forwarding_backend.h"

namespace longsight::bench {

class PlantedBackend final : public ForwardingBackend {
 public:
  // Throws std::invalid_argument for a shape with as many KV heads as heads, whose queries and keys
  // cannot be told apart. `tokens`: offsets reach up to half of it.
  PlantedBackend(std::unique_ptr<Backend> inner, const Shape& shape, int64_t tokens);

  // Spent on planting, by the host, while the device waited.
  double planting_ms() const { return planting_ms_; }
  // Plants.
  void Rotate(const RopeSpec& rope, Rows x, int64_t rows, int64_t heads, int64_t head_size,
              int64_t first_position) override;

 private:
  void PlantKey(const std::vector<std::complex<float>>& phases, int64_t position, float* key) const;
  void PlantQuery(const std::vector<std::complex<float>>& phases, int64_t head, float* query) const;

  int64_t kv_heads_, head_size_;
  std::vector<double> frequencies_;
  std::vector<std::vector<std::complex<float>>> of_head_;  // [heads][frequencies]

  // What was planted at `position` in `heads` heads, where the backend keeps its activations: every
  // layer of a chunk gets the same.
  struct Planted {
    int64_t position, rows, heads;
    BackendMemory memory;
  };
  const Planted& At(int64_t position, int64_t rows, int64_t heads);
  std::vector<Planted> planted_;
  double planting_ms_ = 0;
};

}  // namespace longsight::bench

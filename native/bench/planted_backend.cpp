#include "bench/planted_backend.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <thread>

#include "engine/stopwatch.h"

namespace longsight::bench {
namespace {

// The end of a head is for the first keys (one number) and for loose keys (the others, of which a
// head sees one kind).
constexpr int64_t kReserved = 8;
constexpr int64_t kLooseKinds = 4;
constexpr int64_t kSinks = 4;
// One key in so many is loose.
constexpr uint64_t kLooseEvery = 4096;
// What a planted line adds to a score, after the attention's own scale. The other keys' noise comes
// to some tenths of the attention at a million keys, most of it on few: as trained heads spread
// theirs, and enough that the first budget is spent.
constexpr double kPeak = 13;
// No chunk is longer.
constexpr int64_t kMostChunk = 65536;
// Radians per token, of the fastest frequency: bands some 16 offsets wide.
constexpr double kFastest = 0.2;

uint64_t Hash(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x7fb5d329728ea185u;
  x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44du;
  return x ^ (x >> 33);
}

}  // namespace

PlantedBackend::PlantedBackend(std::unique_ptr<Backend> inner, const Shape& shape, int64_t tokens)
    : ForwardingBackend(std::move(inner)), kv_heads_(shape.kv_heads), head_size_(shape.head_size) {
  if (shape.heads == shape.kv_heads) {
    throw std::invalid_argument("--shape: planted structure needs fewer KV heads than heads");
  }
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> unit(0, 1);
  frequencies_.resize(static_cast<size_t>((head_size_ - kReserved) / 2));
  for (double& frequency : frequencies_) frequency = kFastest * unit(random);
  const double height =
      kPeak * std::sqrt(static_cast<double>(head_size_)) / static_cast<double>(frequencies_.size());
  // More bands than that drown in each other's noise.
  const int64_t bands = std::max<int64_t>(1, head_size_ / 32);
  for (int64_t head = 0; head < shape.heads; ++head) {
    std::vector<std::complex<float>> sum(frequencies_.size());
    for (int64_t band = 0; band < bands; ++band) {
      // The nearest keys, and offsets evenly spread over the orders of magnitude.
      const double longest = std::log(std::max(1024.0, static_cast<double>(tokens) / 2));
      const double offset = band == 0 ? 0 : std::round(std::exp(6 + (longest - 6) * unit(random)));
      for (size_t f = 0; f < frequencies_.size(); ++f) {
        sum[f] += std::complex<float>(std::polar(height, -frequencies_[f] * offset));
      }
    }
    of_head_.push_back(std::move(sum));
  }
}

void PlantedBackend::PlantKey(const std::vector<std::complex<float>>& phases, int64_t position,
                              float* key) const {
  for (size_t f = 0; f < phases.size(); ++f) {
    key[2 * f] = phases[f].real();
    key[2 * f + 1] = phases[f].imag();
  }
  float* reserved = key + head_size_ - kReserved;
  for (int64_t i = 0; i < kReserved; ++i) reserved[i] = 0;
  const uint64_t hash = Hash(static_cast<uint64_t>(position));
  if (position < kSinks) reserved[kLooseKinds] = 1;
  if (hash % kLooseEvery == 0) reserved[hash / kLooseEvery % kLooseKinds] = 1;
}

void PlantedBackend::PlantQuery(const std::vector<std::complex<float>>& phases, int64_t head,
                                float* query) const {
  const std::vector<std::complex<float>>& sum = of_head_[static_cast<size_t>(head)];
  for (size_t f = 0; f < phases.size(); ++f) {
    const std::complex<float> turned = phases[f] * sum[f];
    query[2 * f] = turned.real();
    query[2 * f + 1] = turned.imag();
  }
  const float seen = static_cast<float>(kPeak * std::sqrt(static_cast<double>(head_size_)));
  float* reserved = query + head_size_ - kReserved;
  for (int64_t i = 0; i < kReserved; ++i) reserved[i] = 0;
  reserved[kLooseKinds] = seen;
  reserved[head % kLooseKinds] = seen;
}

const PlantedBackend::Planted& PlantedBackend::At(int64_t position, int64_t rows, int64_t heads) {
  for (const Planted& planted : planted_) {
    if (planted.position == position && planted.rows == rows && planted.heads == heads) {
      return planted;
    }
  }
  inner().Wait();
  const Stopwatch watch;
  // Behind the chunk that has been done.
  std::erase_if(planted_, [&](const Planted& p) {
    return p.heads == heads && (p.position > position || p.position + kMostChunk < position);
  });
  const int64_t n = heads * head_size_;
  std::vector<float> values(static_cast<size_t>(rows * n));
  const auto plant = [&](int64_t begin, int64_t end) {
    std::vector<std::complex<float>> phases(frequencies_.size());
    for (int64_t row = begin; row < end; ++row) {
      for (size_t f = 0; f < phases.size(); ++f) {
        phases[f] = std::complex<float>(
            std::polar(1.0, frequencies_[f] * static_cast<double>(position + row)));
      }
      for (int64_t head = 0; head < heads; ++head) {
        float* to = values.data() + row * n + head * head_size_;
        if (heads == kv_heads_) {
          PlantKey(phases, position + row, to);
        } else {
          PlantQuery(phases, head, to);
        }
      }
    }
  };
  // As many threads as a CPU run is measured with.
  const int64_t parts = inner().device() == "cpu"
                            ? inner().threads()
                            : std::max<int64_t>(1, std::thread::hardware_concurrency());
  std::vector<std::jthread> threads;
  for (int64_t part = 0; part < parts; ++part) {
    threads.emplace_back(plant, rows * part / parts, rows * (part + 1) / parts);
  }
  threads.clear();  // joins
  const DType type = inner().activation_type();
  BackendMemory memory = inner().Allocate(rows * n * DTypeBytes(type), "planted heads");
  inner().Upload(values.data(), rows * n, {memory.get(), type, n});
  planted_.push_back({position, rows, heads, std::move(memory)});
  inner().Wait();
  planting_ms_ += watch.milliseconds();
  return planted_.back();
}

void PlantedBackend::Rotate(const RopeSpec&, Rows x, int64_t rows, int64_t heads, int64_t,
                            int64_t first_position) {
  const Planted& planted = At(first_position, rows, heads);
  const int64_t n = heads * head_size_;
  inner().StoreKv({1, heads, head_size_, x.type}, {planted.memory.get(), x.type, n}, rows,
                  {x.data, nullptr});
}

}  // namespace longsight::bench

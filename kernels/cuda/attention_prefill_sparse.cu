#include "attention_launch.cuh"

namespace longsight::cuda {
namespace {

template <int kHeadSize>
using Sparse = PrefillConfig<kHeadSize, 128, 2, true, true>;

}  // namespace

Launched SparsePrefillAttention(const SparsePrefillParams& p) {
  if (const char* why = WhyRefused(p)) return Refused(why);
  if (p.rows <= 0) return {};
  Device device{};
  if (const cudaError_t error = CurrentDevice(&device)) return {error, "attention: the device"};
  PrefillArguments a = ArgumentsOf(p);
  a.lines = p.lines;
  switch (p.head_size) {
    case 64:
      return Launch<Sparse<64>>(p, a, device);
    case 96:
      return Launch<Sparse<96>>(p, a, device);
    default:
      return Launch<Sparse<128>>(p, a, device);
  }
}

}  // namespace longsight::cuda

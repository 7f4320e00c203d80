#include "attention_launch.cuh"

namespace longsight::cuda {
namespace {

// Longest tiles that leave room for two stages.
template <int kHeadSize>
using Dense = PrefillConfig<kHeadSize, 128, 2, false, true>;

}  // namespace

Launched PrefillAttention(const PrefillParams& p) {
  if (const char* why = WhyRefused(p)) return Refused(why);
  if (p.rows <= 0) return {};
  Device device{};
  if (const cudaError_t error = CurrentDevice(&device)) return {error, "attention: the device"};
  PrefillArguments a = ArgumentsOf(p);
  a.window = p.window;
  switch (p.head_size) {
    case 64:
      return Launch<Dense<64>>(p, a, device);
    case 96:
      return Launch<Dense<96>>(p, a, device);
    default:
      return Launch<Dense<128>>(p, a, device);
  }
}

}  // namespace longsight::cuda

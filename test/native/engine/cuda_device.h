// Whether there is a GPU to test on, and a model that its kernels take.
#pragma once

#include <cstdio>

#include "engine/backend.h"
#include "engine/error.h"
#include "model_folder.h"

namespace longsight::test {

// CTest's SKIP_RETURN_CODE of programs that need one.
inline constexpr int kNoDevice = 77;

// Says what device it is, or why there is none.
inline bool HasDevice() {
  try {
    const auto backend = MakeCudaBackend(0);
    std::printf("%s (%s), %.1f GiB free of %.1f\n", backend->device_name().c_str(),
                backend->instruction_set().c_str(),
                static_cast<double>(backend->available_bytes()) / (1 << 30),
                static_cast<double>(backend->device_bytes()) / (1 << 30));
    return true;
  } catch (const Error& error) {
    std::printf("skipped: %s\n", error.what());
    return false;
  }
}

// Four heads of 64.
inline reference::Config CudaConfig(size_t layers) {
  reference::Config config = SmallConfig(layers);
  config.hidden = 256;
  config.head_size = 64;
  config.intermediate = 512;
  return config;
}

}  // namespace longsight::test

// The part of cuBLASLt's binary interface that BlasLt uses, as published in NVIDIA's documentation
// (12 and 13 agree). Written out, because the CUDA toolkit can be installed without its headers.
#pragma once

#include <cuda_runtime_api.h>
#include <library_types.h>

#include <cstddef>
#include <cstdint>

namespace longsight::cuda::blas {

using Status = int;
inline constexpr Status kSuccess = 0;
inline constexpr Status kInvalidValue = 7;
inline constexpr Status kArchitectureMismatch = 8;
inline constexpr Status kNotSupported = 15;

using Handle = void*;
using Matmul = void*;
using Layout = void*;
using Preference = void*;

inline constexpr int kCompute32F = 68;
inline constexpr int32_t kTranspose = 1;
inline constexpr uint32_t kEpilogueBias = 4;

// A scale for each row of A and for each column of B, fp32: cuBLASLt 12.9 on sm_90.
inline constexpr int32_t kOuterVectorScales = 3;

enum MatmulAttribute : int {
  kTransA = 3,
  kEpilogue = 7,
  kBiasPointer = 8,
  kScalePointerA = 17,
  kScalePointerB = 18,
  kFastSums = 25,  // int8_t
  kBiasType = 26,
  kScaleModeA = 31,
  kScaleModeB = 32,
};
enum PreferenceAttribute : int {
  kMaxWorkspace = 1,
  kReductionSchemes = 3,
  kAlignmentA = 5,
  kAlignmentB = 6,
  kAlignmentC = 7,
  kAlignmentD = 8,
};

// Sums of split products in place or in fp32; not in the type of a bf16 result.
inline constexpr uint32_t kExactReductions = 1 | 2;

struct Algorithm {
  uint64_t data[8];
};

struct Heuristic {
  Algorithm algorithm;
  size_t workspace_bytes;
  Status status;
  float waves;
  int reserved[4];
};

struct Functions {
  Status (*create)(Handle*);
  Status (*destroy)(Handle);
  Status (*matmul_create)(Matmul*, int compute_type, cudaDataType_t scale_type);
  Status (*matmul_destroy)(Matmul);
  Status (*matmul_set)(Matmul, int attribute, const void* value, size_t bytes);
  Status (*layout_create)(Layout*, cudaDataType_t type, uint64_t rows, uint64_t columns,
                          int64_t ld);
  Status (*layout_destroy)(Layout);
  Status (*preference_create)(Preference*);
  Status (*preference_destroy)(Preference);
  Status (*preference_set)(Preference, int attribute, const void* value, size_t bytes);
  Status (*heuristic)(Handle, Matmul, Layout a, Layout b, Layout c, Layout d, Preference,
                      int wanted, Heuristic* results, int* found);
  Status (*matmul)(Handle, Matmul, const void* alpha, const void* a, Layout, const void* b, Layout,
                   const void* beta, const void* c, Layout, void* d, Layout, const Algorithm*,
                   void* workspace, size_t workspace_bytes, cudaStream_t);
};

}  // namespace longsight::cuda::blas

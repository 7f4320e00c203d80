// The operations of one instruction set. Each op_table_*.cpp is compiled with its own flags and
// fills one of these.
#pragma once

#include "kernels.h"

namespace longsight::cpu {

struct OpTable {
  const char* name;
  void (*matmul)(ThreadPool&, const MatmulParams&);
  void (*rms_norm)(ThreadPool&, const RmsNormParams&);
  void (*rope)(ThreadPool&, const RopeParams&);
  void (*swiglu)(ThreadPool&, const SwiGluParams&);
  void (*attention)(ThreadPool&, const AttentionParams&);
  void (*sparse_attention)(ThreadPool&, const SparseAttentionParams&);
  void (*key_means)(ThreadPool&, const KeyMeansParams&);
  void (*probe)(ThreadPool&, const ProbeParams&);
  void (*attention_mass)(ThreadPool&, const AttentionMassParams&);
  void (*compare_heads)(ThreadPool&, const CompareHeadsParams&);
  void (*convert)(ThreadPool&, const float* x, void* y, DType y_type, int64_t n);
  void (*embed)(ThreadPool&, const void* table, DType type, const uint32_t* ids, int64_t rows,
                int64_t n, float* y);
};

extern const OpTable kPortableOps;
#if defined(LONGSIGHT_X86)
extern const OpTable kAvx2Ops;
extern const OpTable kAvx512Ops;
extern const OpTable kAvx512Bf16Ops;
#endif

}  // namespace longsight::cpu

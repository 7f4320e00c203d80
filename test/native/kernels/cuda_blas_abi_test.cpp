// What we wrote down of cuBLASLt's binary interface against the library's own header, where that is
// installed; the program runs nothing.
#include <cstdio>

#include "cuda/blas_lt_abi.h"

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

namespace longsight::cuda::blas {
namespace {

static_assert(kSuccess == CUBLAS_STATUS_SUCCESS && kInvalidValue == CUBLAS_STATUS_INVALID_VALUE &&
              kArchitectureMismatch == CUBLAS_STATUS_ARCH_MISMATCH &&
              kNotSupported == CUBLAS_STATUS_NOT_SUPPORTED);
static_assert(kCompute32F == CUBLAS_COMPUTE_32F && kTranspose == CUBLAS_OP_T &&
              kEpilogueBias == CUBLASLT_EPILOGUE_BIAS);
static_assert(kExactReductions ==
              (CUBLASLT_REDUCTION_SCHEME_INPLACE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
static_assert(kTransA == CUBLASLT_MATMUL_DESC_TRANSA &&
              kEpilogue == CUBLASLT_MATMUL_DESC_EPILOGUE &&
              kBiasPointer == CUBLASLT_MATMUL_DESC_BIAS_POINTER &&
              kBiasType == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE &&
              kFastSums == CUBLASLT_MATMUL_DESC_FAST_ACCUM &&
              kScalePointerA == CUBLASLT_MATMUL_DESC_A_SCALE_POINTER &&
              kScalePointerB == CUBLASLT_MATMUL_DESC_B_SCALE_POINTER);
static_assert(kMaxWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES &&
              kReductionSchemes == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK &&
              kAlignmentA == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES &&
              kAlignmentB == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES &&
              kAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES &&
              kAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t) &&
              sizeof(Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t) &&
              offsetof(Heuristic, workspace_bytes) ==
                  offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) &&
              offsetof(Heuristic, status) == offsetof(cublasLtMatmulHeuristicResult_t, state));
#if CUBLAS_VERSION >= 120900
static_assert(kScaleModeA == CUBLASLT_MATMUL_DESC_A_SCALE_MODE &&
              kScaleModeB == CUBLASLT_MATMUL_DESC_B_SCALE_MODE &&
              kOuterVectorScales == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F);
#endif

}  // namespace
}  // namespace longsight::cuda::blas

int main() {
  std::printf("cuda_blas_abi_test: as in cublasLt.h of %d\n", CUBLAS_VERSION);
  return 0;
}
#else
int main() {
  std::printf("skipped: no cublasLt.h\n");
  return 77;
}
#endif

#include "cuda/blas_lt.h"

#include <dlfcn.h>
#include <glob.h>

#include <map>
#include <tuple>
#include <vector>

#include "cuda/blas_lt_abi.h"

namespace longsight::cuda {
namespace {

// Shapes whose algorithm is remembered; lengths of prompts differ without end.
constexpr size_t kMostPlans = 2048;

// The files that a candidate stands for; a bare name stands for itself.
std::vector<std::string> Expand(const std::string& candidate) {
  if (candidate.find('/') == std::string::npos) return {candidate};
  std::vector<std::string> files;
  glob_t found{};
  if (glob(candidate.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = found.gl_pathc; i > 0; --i) files.emplace_back(found.gl_pathv[i - 1]);
  }
  globfree(&found);
  return files;
}

template <class Function>
bool Find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  return function != nullptr;
}

bool FindAll(void* library, blas::Functions& f) {
  return Find(library, "cublasLtCreate", f.create) && Find(library, "cublasLtDestroy", f.destroy) &&
         Find(library, "cublasLtMatmulDescCreate", f.matmul_create) &&
         Find(library, "cublasLtMatmulDescDestroy", f.matmul_destroy) &&
         Find(library, "cublasLtMatmulDescSetAttribute", f.matmul_set) &&
         Find(library, "cublasLtMatrixLayoutCreate", f.layout_create) &&
         Find(library, "cublasLtMatrixLayoutDestroy", f.layout_destroy) &&
         Find(library, "cublasLtMatmulPreferenceCreate", f.preference_create) &&
         Find(library, "cublasLtMatmulPreferenceDestroy", f.preference_destroy) &&
         Find(library, "cublasLtMatmulPreferenceSetAttribute", f.preference_set) &&
         Find(library, "cublasLtMatmulAlgoGetHeuristic", f.heuristic) &&
         Find(library, "cublasLtMatmul", f.matmul);
}

// The largest power of two up to 256 that divides an address.
uint32_t AlignmentOf(const void* pointer) {
  const auto bits = reinterpret_cast<uintptr_t>(pointer) | 256;
  return static_cast<uint32_t>(bits & (~bits + 1));
}

bool IsE4M3(const MatmulParams& p) { return p.w_scales != nullptr; }

// What the documentation asks of products of e4m3: matrices of whole 16 bytes, and no bias in fp32.
bool IsInTheDocumentedTable(const MatmulParams& p) {
  return p.x_scales != nullptr && p.in % 16 == 0 && p.out % 16 == 0 && p.x_stride % 16 == 0 &&
         p.y_stride % 8 == 0 && AlignmentOf(p.x) >= 16 && AlignmentOf(p.w) >= 16 &&
         AlignmentOf(p.y) >= 16 && (p.bias == nullptr || p.y_type == DType::kBF16);
}

// One shape: what is multiplied, and by which algorithm. Or that there is none.
struct Plan {
  blas::Matmul matmul = nullptr;
  blas::Layout w = nullptr, x = nullptr, y = nullptr;
  blas::Algorithm algorithm{};
  size_t workspace_bytes = 0;
  blas::Status status = blas::kSuccess;
};

class OpenedBlasLt final : public BlasLt {
 public:
  OpenedBlasLt(std::string path, const blas::Functions& functions, blas::Handle handle)
      : path_(std::move(path)), f_(functions), handle_(handle) {}

  // The library stays open: its threads and the driver may still hold on to it.
  ~OpenedBlasLt() override {
    ForgetPlans();
    f_.destroy(handle_);
  }

  const std::string& path() const override { return path_; }
  void SetWorkspace(void* workspace) override { workspace_ = workspace; }

  bool Has(const MatmulParams& p) override {
    Outcome outcome;
    FindPlan(p, &outcome);
    return !outcome.unsupported;
  }

  Outcome Multiply(const MatmulParams& p) override {
    Outcome outcome;
    Plan* const plan = FindPlan(p, &outcome);
    if (plan == nullptr) return outcome;
    blas::Status status = blas::kSuccess;
    const auto set = [&](int attribute, const auto& value) {
      if (status == blas::kSuccess) {
        status = f_.matmul_set(plan->matmul, attribute, &value, sizeof value);
      }
    };
    if (p.bias != nullptr) set(blas::kBiasPointer, p.bias);
    SetScales(p, set);
    if (status != blas::kSuccess) return Failure("refused the bias or the scales of", p, status);
    const float alpha = 1, beta = p.add ? 1 : 0;
    status =
        f_.matmul(handle_, plan->matmul, &alpha, p.w, plan->w, p.x, plan->x, &beta, p.y, plan->y,
                  p.y, plan->y, &plan->algorithm, workspace_, plan->workspace_bytes, p.stream);
    if (status == blas::kSuccess) return {};
    // Scales that a device lacks are documented to be refused only now.
    if (IsE4M3(p)) plan->status = status;
    return Failure("failed on", p, status);
  }

 private:
  using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, DType, bool, bool, bool, bool,
                         uint32_t, uint32_t, uint32_t>;

  static bool IsUnsupported(blas::Status status) {
    return status == blas::kInvalidValue || status == blas::kArchitectureMismatch ||
           status == blas::kNotSupported;
  }

  // Null, and why, when there is none.
  Plan* FindPlan(const MatmulParams& p, Outcome* outcome) {
    if (IsE4M3(p) && !IsInTheDocumentedTable(p)) {
      *outcome = Failure("does not multiply", p, blas::kNotSupported);
      return nullptr;
    }
    const Key key = {p.rows,
                     p.in,
                     p.out,
                     p.x_stride,
                     p.y_stride,
                     p.y_type,
                     p.add,
                     p.bias != nullptr,
                     IsE4M3(p),
                     p.fast_sums,
                     AlignmentOf(p.x),
                     AlignmentOf(p.w),
                     AlignmentOf(p.y)};
    auto found = plans_.find(key);
    if (found == plans_.end()) {
      if (plans_.size() >= kMostPlans) ForgetPlans();
      Plan plan;
      plan.status = MakePlan(p, plan);
      // That a product is not there is remembered; passing trouble is not.
      if (plan.status != blas::kSuccess && !IsUnsupported(plan.status)) {
        Destroy(plan);
        *outcome = Failure("found no algorithm for", p, plan.status);
        return nullptr;
      }
      found = plans_.emplace(key, plan).first;
    }
    if (found->second.status == blas::kSuccess) return &found->second;
    *outcome = Failure("found no algorithm for", p, found->second.status);
    return nullptr;
  }

  // A is w, of whose rows y has columns; B is x.
  template <class Set>
  static void SetScales(const MatmulParams& p, const Set& set) {
    if (!IsE4M3(p)) return;
    set(blas::kScalePointerA, p.w_scales);
    set(blas::kScalePointerB, p.x_scales);
  }

  // cuBLASLt counts columns first: its y^T[out, rows] = (w^T)^T[out, in] * x^T[in, rows].
  blas::Status MakePlan(const MatmulParams& p, Plan& plan) {
    const cudaDataType_t y_type = p.y_type == DType::kF32 ? CUDA_R_32F : CUDA_R_16BF;
    const auto rows = static_cast<uint64_t>(p.rows), in = static_cast<uint64_t>(p.in),
               out = static_cast<uint64_t>(p.out);
    blas::Status status = f_.matmul_create(&plan.matmul, blas::kCompute32F, CUDA_R_32F);
    const auto set = [&](int attribute, const auto& value) {
      if (status == 0) status = f_.matmul_set(plan.matmul, attribute, &value, sizeof value);
    };
    set(blas::kTransA, blas::kTranspose);
    if (p.bias != nullptr) {
      set(blas::kEpilogue, blas::kEpilogueBias);
      set(blas::kBiasPointer, p.bias);
      set(blas::kBiasType, static_cast<int32_t>(y_type));
    }
    if (IsE4M3(p)) {
      set(blas::kScaleModeA, blas::kOuterVectorScales);
      set(blas::kScaleModeB, blas::kOuterVectorScales);
      set(blas::kFastSums, static_cast<int8_t>(p.fast_sums ? 1 : 0));
    }
    SetScales(p, set);
    const cudaDataType_t type = IsE4M3(p) ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
    const auto layout = [&](blas::Layout* made, cudaDataType_t of, uint64_t r, uint64_t c,
                            int64_t ld) {
      if (status == 0) status = f_.layout_create(made, of, r, c, ld);
    };
    layout(&plan.w, type, in, out, p.in);
    layout(&plan.x, type, in, rows, p.x_stride);
    layout(&plan.y, y_type, out, rows, p.y_stride);
    return status == 0 ? ChooseAlgorithm(p, plan) : status;
  }

  blas::Status ChooseAlgorithm(const MatmulParams& p, Plan& plan) {
    blas::Preference preference = nullptr;
    blas::Status status = f_.preference_create(&preference);
    if (status != 0) return status;
    const auto set = [&](int attribute, const auto& value) {
      if (status == 0) status = f_.preference_set(preference, attribute, &value, sizeof value);
    };
    set(blas::kMaxWorkspace, static_cast<uint64_t>(workspace_ == nullptr ? 0 : kWorkspaceBytes));
    set(blas::kReductionSchemes, blas::kExactReductions);
    set(blas::kAlignmentA, AlignmentOf(p.w));
    set(blas::kAlignmentB, AlignmentOf(p.x));
    set(blas::kAlignmentC, AlignmentOf(p.y));
    set(blas::kAlignmentD, AlignmentOf(p.y));
    blas::Heuristic best{};
    int found = 0;
    if (status == 0) {
      status = f_.heuristic(handle_, plan.matmul, plan.w, plan.x, plan.y, plan.y, preference, 1,
                            &best, &found);
    }
    f_.preference_destroy(preference);
    if (status != 0) return status;
    if (found == 0) return blas::kNotSupported;
    plan.algorithm = best.algorithm;
    plan.workspace_bytes = best.workspace_bytes;
    return best.status;
  }

  void Destroy(Plan& plan) {
    if (plan.matmul != nullptr) f_.matmul_destroy(plan.matmul);
    for (blas::Layout layout : {plan.w, plan.x, plan.y}) {
      if (layout != nullptr) f_.layout_destroy(layout);
    }
  }

  void ForgetPlans() {
    for (auto& [key, plan] : plans_) Destroy(plan);
    plans_.clear();
  }

  Outcome Failure(const char* what, const MatmulParams& p, blas::Status status) const {
    return {path_ + " " + what + " a product of [" + std::to_string(p.rows) + ", " +
                std::to_string(p.in) + "] with [" + std::to_string(p.out) + ", " +
                std::to_string(p.in) + "]" + (IsE4M3(p) ? " in e4m3" : "") + " (status " +
                std::to_string(status) + ")",
            IsUnsupported(status)};
  }

  std::string path_;
  blas::Functions f_;
  blas::Handle handle_;
  void* workspace_ = nullptr;
  std::map<Key, Plan> plans_;
};

}  // namespace

std::unique_ptr<BlasLt> BlasLt::Open(const BlasSearch& search, std::string* refusal) {
  *refusal = "cuBLASLt was not found; searched";
  for (const std::string& candidate : BlasCandidates(search)) {
    *refusal += " " + candidate;
    for (const std::string& file : Expand(candidate)) {
      void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) {
        // A bare name that the loader does not know is no news; a file that it refuses is.
        if (file.find('/') != std::string::npos) *refusal += std::string(" (") + dlerror() + ")";
        continue;
      }
      blas::Functions functions{};
      blas::Handle handle = nullptr;
      if (!FindAll(library, functions)) {
        *refusal += " (" + file + " lacks functions of cuBLASLt 12)";
      } else if (const blas::Status status = functions.create(&handle); status != 0) {
        *refusal += " (" + file + " did not start: status " + std::to_string(status) + ")";
      } else {
        refusal->clear();
        return std::make_unique<OpenedBlasLt>(file, functions, handle);
      }
      dlclose(library);
    }
  }
  *refusal +=
      ". Install the CUDA toolkit's cuBLAS or the Python package nvidia-cublas, or set "
      "LONGSIGHT_CUBLASLT to the library's path";
  return nullptr;
}

}  // namespace longsight::cuda

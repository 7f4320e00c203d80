#include "engine/cuda_weights.h"

#include <algorithm>

#include "engine/cuda_convert.h"

namespace longsight {
namespace {

constexpr const char* kTaking = "taking the weights";
constexpr const char* kMultiplying = "multiplying";

}  // namespace

CudaWeights::CudaWeights(WeightType type, CudaMemory& memory, cuda::BlasLt& blas, int64_t most_rows,
                         cudaStream_t stream)
    : type_(type),
      memory_(memory),
      blas_(blas),
      most_rows_(most_rows),
      stream_(stream),
      table_([&memory](int64_t bytes) { return memory.Hold(bytes, "the weights"); }, stream) {}

int64_t CudaWeights::Take(const Model& model) {
  const int64_t before = memory_.held_bytes();
  WeightVisitor visit;
  visit.matrix = [&](const Tensor& m) {
    Check(table_.TakeMatrix(m.data, KernelType(m.type), m.size()), kTaking);
  };
  visit.linear = visit.matrix;
  if (type_ == WeightType::kFp8) {
    visit.linear = [&](const Tensor& m) {
      Check(table_.TakeFp8(m.data, KernelType(m.type), m.shape[0], m.shape[1]), kTaking);
    };
  }
  visit.vector = [&](const void* values, int64_t bytes) {
    Check(table_.Take(values, bytes), kTaking);
  };
  visit.bias = [&](const std::vector<float>& values) {
    Check(table_.TakeBias(values.data(), static_cast<int64_t>(values.size())), kTaking);
  };
  VisitWeights(model, visit);
  Check(cudaStreamSynchronize(stream_), kTaking);
  const int64_t taken = memory_.held_bytes() - before;
  if (type_ == WeightType::kFp8) {
    const DecoderSpec& spec = model.spec;
    const int64_t longest = std::max({spec.hidden, spec.query_size(), spec.intermediate});
    scratch_bytes_ = cuda::Fp8Linear::ScratchBytes(most_rows_, longest);
    scratch_ = memory_.Hold(scratch_bytes_, "activations in fp8");
    fp8_ = std::make_unique<cuda::Fp8Linear>(blas_, most_rows_, longest, scratch_.get());
  }
  return taken;
}

cuda::MatmulParams CudaWeights::Describe(const Linear& linear, ConstRows x, int64_t rows, Rows y,
                                         Accumulate mode) {
  const cuda::WeightTable::Fp8* const fp8 = table_.Fp8On(linear.weight.data);
  cuda::MatmulParams p{};
  p.x = x.data;
  p.x_stride = x.stride;
  p.w = fp8 != nullptr ? fp8->matrix.get() : table_.On(linear.weight.data);
  if (fp8 != nullptr) p.w_scales = reinterpret_cast<const float*>(fp8->scales.get());
  p.y = y.data;
  p.y_type = KernelType(y.type);
  if (!linear.bias.empty()) p.bias = table_.BiasOn(linear.bias.data(), p.y_type);
  p.y_stride = y.stride;
  p.rows = rows;
  p.in = linear.weight.shape[1];
  p.out = linear.weight.shape[0];
  p.add = mode == Accumulate::kAdd;
  p.stream = stream_;
  Written(y, rows, p.out);
  return p;
}

void CudaWeights::Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y,
                           Accumulate mode) {
  const cuda::MatmulParams p = Describe(linear, x, rows, y, mode);
  if (rows <= cuda::kStreamedRows) return Check(cuda::MatmulStreamed(p), kMultiplying);
  const std::string failure = p.w_scales != nullptr ? fp8_->Multiply(p) : blas_.Multiply(p).failure;
  if (failure.empty()) return;
  Check(cudaPeekAtLastError(), kMultiplying);
  throw Error(ErrorCode::kInternal, failure);
}

bool CudaWeights::MultiplyAtOnce(std::span<const Backend::Product> products, ConstRows x,
                                 int64_t rows) {
  if (rows > cuda::kStreamedRows || products.size() > size_t{cuda::kStreamedProducts}) return false;
  std::vector<cuda::MatmulParams> all;
  for (const Backend::Product& p : products) {
    all.push_back(Describe(p.linear, x, rows, p.y, Accumulate::kOverwrite));
  }
  Check(cuda::MatmulStreamed(all.data(), static_cast<int>(all.size())), kMultiplying);
  return true;
}

}  // namespace longsight

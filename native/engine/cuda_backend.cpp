// The CUDA backend: with the other cuda_* files, all that knows kernels/cuda. Weights, KV
// and activations live in device memory; operations are enqueued on one stream, and what waits for
// it says so.
#include <algorithm>
#include <utility>

#include "cuda/argmax.h"
#include "cuda/blas_lt.h"
#include "cuda/chunk_attention.h"
#include "cuda/device.h"
#include "cuda/host_copies.h"
#include "cuda/kernels.h"
#include "cuda/staging.h"
#include "cuda/step_recording.h"
#include "cuda/timeline.h"
#include "cuda/weight_table.h"
#include "engine/backend.h"
#include "engine/cuda_convert.h"
#include "engine/cuda_evidence.h"
#include "engine/cuda_memory.h"
#include "engine/cuda_weights.h"
#include "engine/error.h"
#include "engine/sampler.h"
#include "index/area.h"

namespace longsight {
namespace {

class CudaBackend final : public Backend {
 public:
  CudaBackend(int device, const cuda::DeviceInfo& info, std::unique_ptr<cuda::BlasLt> blas,
              WeightType weight_type)
      : device_(device), info_(info), memory_(device, info.name), blas_(std::move(blas)) {
    Check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
    attention_workspace_ = Hold(cuda::kAttentionWorkspace, "attention's workspace");
    blas_workspace_ = Hold(cuda::BlasLt::kWorkspaceBytes, "cuBLASLt's workspace");
    ids_ = Hold(kBlockRows * static_cast<int64_t>(sizeof(uint32_t)), "token ids");
    blas_->SetWorkspace(blas_workspace_.get());
    Check(steps_.Prepare(), "making room for recorded steps");
    timeline_ = std::make_unique<cuda::Timeline>(stream_);
    evidence_ = std::make_unique<CudaEvidence>(memory_, stream_);
    weights_ = std::make_unique<CudaWeights>(weight_type, memory_, *blas_, kBlockRows, stream_);
  }

  ~CudaBackend() override {
    cudaSetDevice(device_);
    cudaStreamSynchronize(stream_);
    steps_.Release();
    timeline_.reset();
    cudaStreamDestroy(stream_);
  }

  std::string device() const override { return "cuda:" + std::to_string(device_); }
  std::string device_name() const override { return info_.name; }
  std::string instruction_set() const override {
    return "sm_" + std::to_string(info_.major) + std::to_string(info_.minor);
  }
  int threads() const override { return 1; }
  DType activation_type() const override { return DType::kBF16; }
  int64_t block_rows() const override { return kBlockRows; }
  int64_t scratch_bytes(const DecoderSpec& spec, DType kv_type) const override {
    return cuda::kAttentionWorkspace + cuda::BlasLt::kWorkspaceBytes +
           kBlockRows * static_cast<int64_t>(sizeof(uint32_t)) + weights_->scratch_bytes() +
           (kv_type == DType::kE4M3 ? cuda::WidenedBytes(spec.kv_heads, spec.head_size) : 0);
  }

  BackendMemory Allocate(int64_t bytes, const char* purpose) override {
    return memory_.Allocate(bytes, purpose);
  }
  int64_t available_bytes() const override { return memory_.FreeBytes() + memory_.held_bytes(); }
  int64_t device_bytes() const override { return info_.memory_bytes; }

  int64_t TakeWeights(const Model& model) override {
    Use();
    if (model.spec.head_size > cuda::kMaxHeadSize || model.spec.head_size % 8 != 0) {
      throw Error(ErrorCode::kModelUnsupported,
                  "a head size of " + std::to_string(model.spec.head_size) +
                      " is not supported on GPUs (multiples of 8 up to " +
                      std::to_string(cuda::kMaxHeadSize) + " are); use device cpu");
    }
    if (model.spec.vocabulary > cuda::kMostSampled) {
      throw Error(ErrorCode::kModelUnsupported,
                  "a vocabulary of " + std::to_string(model.spec.vocabulary) +
                      " tokens is not supported on GPUs (up to " +
                      std::to_string(cuda::kMostSampled) + " are); use device cpu");
    }
    const int64_t before = memory_.held_bytes();
    weights_->Take(model);
    drawn_ = Hold(sizeof(uint64_t), "a drawn token");
    Check(cuda::SampleWorkspace(model.spec.vocabulary, &sample_workspace_bytes_),
          "making room for draws");
    sample_workspace_ = Hold(sample_workspace_bytes_, "logits in order");
    logits_ =
        Hold(kLogitRows * model.spec.vocabulary * static_cast<int64_t>(sizeof(float)), "logits");
    Wait();
    return memory_.held_bytes() - before - weights_->scratch_bytes();
  }

  void Embed(const Tensor& table, const uint32_t* ids, int64_t rows, Rows y) override {
    Use();
    weights_->Written(y, rows, table.shape[1]);
    if (steps_.recording()) {
      // The token is the step's.
      Check(cuda::Embed({On(table.data), steps_.token(), rows, table.shape[1],
                         static_cast<float*>(y.data), stream_}),
            "embedding a token");
      return;
    }
    // Pinned: a copy from other memory would first wait for the device.
    Check(staged_ids_.Copy(ids_.get(), ids, rows * static_cast<int64_t>(sizeof(uint32_t)), stream_),
          "copying token ids");
    Check(cuda::Embed({On(table.data), reinterpret_cast<const uint32_t*>(ids_.get()), rows,
                       table.shape[1], static_cast<float*>(y.data), stream_}),
          "embedding tokens");
  }

  void RmsNorm(ConstRows x, const std::vector<float>& weight, double epsilon, int64_t rows,
               Rows y) override {
    Use();
    cuda::RmsNormParams p{};
    p.x = x.data;
    p.x_type = KernelType(x.type);
    p.x_stride = x.stride;
    p.weight = static_cast<const float*>(On(weight.data()));
    p.y = y.data;
    p.y_stride = y.stride;
    p.rows = rows;
    p.n = static_cast<int64_t>(weight.size());
    p.eps = static_cast<float>(epsilon);
    p.stream = stream_;
    // What projections read is a norm of the residual stream; the others are of heads.
    if (x.type == DType::kF32) {
      p.rounded = weights_->WrittenForProducts(y, rows, p.n);
    } else {
      weights_->Written(y, rows, p.n);
    }
    Check(cuda::RmsNorm(p), "normalising");
  }

  void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y, Accumulate mode) override {
    Use();
    weights_->Multiply(linear, x, rows, y, mode);
  }
  void MultiplyAll(std::span<const Product> products, ConstRows x, int64_t rows) override {
    if (!weights_->MultiplyAtOnce(products, x, rows)) Backend::MultiplyAll(products, x, rows);
  }

  void Rotate(const RopeSpec& rope, Rows x, int64_t rows, int64_t heads, int64_t head_size,
              int64_t first_position) override {
    Use();
    cuda::RopeParams p{};
    p.x = x.data;
    p.row_stride = x.stride;
    p.head_stride = head_size;
    p.rows = rows;
    p.heads = heads;
    p.rotary = rope.rotary;
    p.inverse_frequency = static_cast<const double*>(On(rope.inverse_frequency.data()));
    p.first_position = first_position;
    p.magnitude = static_cast<float>(rope.magnitude);
    p.interleaved = rope.interleaved;
    p.stream = stream_;
    p.step = steps_.step();
    weights_->Written(x, rows, heads * head_size);
    Check(cuda::Rope(p), "turning heads");
  }

  void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) override {
    Use();
    Check(cuda::SwiGlu({gate.data, up.data, gate.stride, up.stride, gate.data, gate.stride, rows, n,
                        weights_->WrittenForProducts(gate, rows, n), stream_}),
          "gating");
  }

  void StoreKv(const KvLayout& layout, ConstRows x, int64_t rows, KvRows destination) override {
    Use();
    const cudaError_t error =
        layout.type == DType::kE4M3
            ? cuda::Quantize({x.data, destination.data, destination.scales, rows, layout.kv_heads,
                              layout.head_size, stream_, steps_.step()})
            : cuda::Convert({x.data, KernelType(x.type), destination.data, KernelType(layout.type),
                             rows * layout.row_elements(), stream_, steps_.step()});
    Check(error, "storing keys and values");
  }

  void Attend(const DecoderSpec& spec, const AttentionCall& call) override {
    Use();
    weights_->Written(call.out, call.rows, spec.query_size());
    std::vector<cuda::CachedRun> runs = KernelRuns(spec, call.kv);
    // What the recorded steps will have added.
    if (steps_.recording()) runs.back().tokens += cuda::StepRecording::kSteps - 1;
    cuda::AttentionDecodeParams p = AttentionParams(spec, call, runs);
    p.workspace = attention_workspace_.get();
    p.multiprocessors = info_.multiprocessors;
    p.stream = stream_;
    p.step = steps_.step();
    if (p.kv_type == cuda::DType::kE4M3 && widened_ == nullptr) {
      widened_ = Hold(cuda::WidenedBytes(spec.kv_heads, spec.head_size), "widened keys and values");
    }
    Check(cuda::AttendChunk(p, widened_.get()));
  }

  void AttendSparse(const DecoderSpec& spec, const SparseCall& call) override;
  void CompareHeads(ConstRows expected, ConstRows actual, int64_t rows, int64_t heads,
                    int64_t head_size, double* sums) override;
  int64_t sparse_bytes(const DecoderSpec& spec, int64_t rows, int64_t tokens) const override;
  void ReserveSparse(const DecoderSpec& spec, int64_t rows, int64_t tokens) override;

  bool AddMass(const DecoderSpec& spec, const MassCall& call) override {
    evidence_->Add(spec, call);
    return true;
  }

  void Logits(const Linear& head, ConstRows x, int64_t rows, float* logits) override {
    const int64_t n = head.weight.shape[0];
    for (int64_t row = 0; row < rows; row += kLogitRows) {
      const int64_t count = std::min(kLogitRows, rows - row);
      Multiply(head, x.From(row), count, {logits_.get(), DType::kF32, n}, Accumulate::kOverwrite);
      Check(cudaMemcpyAsync(logits + row * n, logits_.get(),
                            static_cast<size_t>(count * n) * sizeof(float), cudaMemcpyDeviceToHost,
                            stream_),
            "copying logits");
      Wait();
    }
  }

  uint32_t Sample(const Linear& head, ConstRows x, const Draw& draw) override {
    const int64_t n = head.weight.shape[0];
    auto* const logits = reinterpret_cast<float*>(logits_.get());
    Multiply(head, x, 1, {logits, DType::kF32, n}, Accumulate::kOverwrite);
    auto* const drawn = reinterpret_cast<uint64_t*>(drawn_.get());
    if (draw.temperature == 0) {
      Check(cuda::Argmax({logits, n, drawn, stream_}), "looking for the largest logit");
    } else {
      Check(cuda::Sample({logits, n, draw.temperature, draw.top_k, draw.top_p, draw.uniform, drawn,
                          sample_workspace_.get(), sample_workspace_bytes_, stream_}),
            "drawing a token");
    }
    uint64_t key = 0;
    Check(cudaMemcpyAsync(&key, drawn, sizeof key, cudaMemcpyDeviceToHost, stream_),
          "copying a token");
    Wait();
    if (key == cuda::kNanKey) ThrowNan();
    return cuda::ArgmaxId(key);
  }

  void Upload(const float* x, int64_t n, Rows y) override {
    Use();
    weights_->Written(y, 1, n);
    cuda::Staging staging;
    Check(cuda::CopyRounded(x, cuda::DType::kF32, n, y.data, staging, stream_), "uploading");
  }

  void RunStep(uint32_t token, int64_t position, const std::function<void()>& pass) override {
    Use();
    Check(steps_.Run(stream_, token, position, pass), "running a recorded step");
  }
  void ForgetSteps() override { steps_.Forget(); }

  void Mark(Phase phase) override {
    Use();
    Check(timeline_->Mark(static_cast<int>(phase)), "being timed");
  }
  bool Pace() override {
    Use();
    Check(timeline_->Pace(), "computing");
    return false;
  }
  void Collect(PrefillReport& report) override {
    Use();
    Check(timeline_->Finish(), "computing");
    report_.index_ms += timeline_->TakeMilliseconds(static_cast<int>(Phase::kIndex));
    report_.attention_ms += timeline_->TakeMilliseconds(static_cast<int>(Phase::kAttention));
    report.Add(std::exchange(report_, {}));
  }
  void Wait() override {
    Use();
    Check(cudaStreamSynchronize(stream_), "computing");
  }
  void CopyToHost(std::span<const Copy> copies) override {
    Move(cuda::HostCopies::Direction::kToHost, copies);
  }
  void CopyToDevice(std::span<const Copy> copies) override {
    Move(cuda::HostCopies::Direction::kToDevice, copies);
  }

 private:
  // Enough to fill the largest device several times over, in one layer's products.
  static constexpr int64_t kBlockRows = 8192;
  // Rows of logits that are held on the device: one in a generation, more when tokens are scored.
  static constexpr int64_t kLogitRows = 8;

  void Use() const { memory_.Use(); }
  BackendMemory Hold(int64_t bytes, const char* purpose) { return memory_.Hold(bytes, purpose); }

  void Move(cuda::HostCopies::Direction direction, std::span<const Copy> copies) {
    Use();
    Check(host_copies_.Copy(direction, KernelCopies(copies)), "copying keys and values");
  }

  // Where the weights that the model has at `host` are on the device.
  const void* On(const void* host) const { return weights_->On(host); }

  int device_;
  cuda::DeviceInfo info_;
  CudaMemory memory_;
  cuda::StepRecording steps_;
  cuda::HostCopies host_copies_{device_};
  std::unique_ptr<cuda::BlasLt> blas_;
  cudaStream_t stream_ = nullptr;
  BackendMemory attention_workspace_, blas_workspace_, ids_, logits_, drawn_, widened_;
  BackendMemory sample_workspace_;
  int64_t sample_workspace_bytes_ = 0;
  cuda::Staging staged_ids_{kBlockRows * static_cast<int64_t>(sizeof(uint32_t))};
  // Times, and what sparse heads did, since the last Collect.
  std::unique_ptr<cuda::Timeline> timeline_;
  PrefillReport report_;
  std::unique_ptr<CudaWeights> weights_;
  std::unique_ptr<CudaEvidence> evidence_;
  // Of AttendSparse; grows with the context.
  BackendMemory sparse_workspace_;
  int64_t sparse_workspace_bytes_ = 0;
};

int64_t CudaBackend::sparse_bytes(const DecoderSpec& spec, int64_t rows, int64_t tokens) const {
  return cuda::SparseChunkBytes(SparseShape(spec, rows, tokens));
}

void CudaBackend::ReserveSparse(const DecoderSpec& spec, int64_t rows, int64_t tokens) {
  const int64_t bytes = sparse_bytes(spec, rows, tokens);
  if (bytes <= sparse_workspace_bytes_) return;
  Wait();
  memory_.Drop(sparse_workspace_, sparse_workspace_bytes_);
  sparse_workspace_bytes_ = 0;
  sparse_workspace_ = Hold(bytes, "sparse attention's lines");
  sparse_workspace_bytes_ = bytes;
}

void CudaBackend::AttendSparse(const DecoderSpec& spec, const SparseCall& call) {
  Use();
  weights_->Written(call.out, call.rows, spec.query_size());
  const std::vector<cuda::CachedRun> runs = KernelRuns(spec, call.kv);
  cuda::SparseChunkParams p = SparseParams(spec, call, runs);
  ReserveSparse(spec, call.rows, p.shape.tokens);
  p.workspace = sparse_workspace_.get();
  p.stream = stream_;
  Mark(Phase::kIndex);
  Check(cuda::ChooseSparseChunk(p));
  Mark(Phase::kAttention);
  Check(cuda::AttendSparseChunk(p));
  Mark(Phase::kOther);
  Check(cuda::MeasureSparseChunk(p));
  const double dense = index::CausalArea(call.first_position, call.rows);
  const auto read = [this, heads = spec.heads, dense, outcomes = call.outcomes](const auto* data) {
    const auto* const reports = reinterpret_cast<const cuda::HeadReport*>(data);
    for (int64_t head = 0; head < heads; ++head) {
      const cuda::HeadReport& told = reports[head];
      report_.AddHead(dense, told.pairs, told.guard_pairs, told.recall);
      if (outcomes != nullptr) outcomes[head] = {told.pairs, told.recall};
    }
  };
  Check(timeline_->Fetch(cuda::SparseChunkReports(p),
                         spec.heads * static_cast<int64_t>(sizeof(cuda::HeadReport)), read),
        "reporting");
}

void CudaBackend::CompareHeads(ConstRows expected, ConstRows actual, int64_t rows, int64_t heads,
                               int64_t head_size, double* sums) {
  Use();
  // Its parts and its sums lie where attention, on the same stream, has its own.
  static_assert(cuda::CompareHeadsWorkspaceBytes(cuda::kCompareHeads + 1) <=
                cuda::kAttentionWorkspace);
  auto* const on_device = reinterpret_cast<double*>(attention_workspace_.get());
  const cuda::CompareHeadsParams p = {
      expected.data, expected.stride, actual.data, actual.stride,         rows,
      heads,         head_size,       on_device,   on_device + 2 * heads, stream_};
  Check(cuda::CompareHeads(p), "comparing heads");
  Check(cudaMemcpyAsync(sums, on_device, static_cast<size_t>(2 * heads) * sizeof(double),
                        cudaMemcpyDeviceToHost, stream_),
        "copying what heads miss");
  Wait();
}

}  // namespace

bool HasCudaBackend() { return true; }

std::unique_ptr<Backend> MakeCudaBackend(int device, WeightType weights) {
  cuda::DeviceInfo info;
  std::string reason = cuda::WhyUnusable(device, &info);
  std::unique_ptr<cuda::BlasLt> blas;
  if (reason.empty()) blas = cuda::BlasLt::Open(cuda::BlasSearchOfEnvironment(), &reason);
  if (!reason.empty()) {
    throw Error(ErrorCode::kDeviceUnavailable,
                "device \"cuda:" + std::to_string(device) + "\" cannot be used: " + reason);
  }
  return std::make_unique<CudaBackend>(device, info, std::move(blas), weights);
}

}  // namespace longsight

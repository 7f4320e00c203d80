// The CUDA backend: the one file that knows kernels/cuda. Weights, KV and activations live in
// device memory; operations are enqueued on one stream, and only Logits and Wait wait for it.
#include <algorithm>
#include <unordered_map>

#include "cuda/blas_lt.h"
#include "cuda/chunk_attention.h"
#include "cuda/device.h"
#include "cuda/kernels.h"
#include "cuda/staging.h"
#include "engine/backend.h"
#include "engine/error.h"
#include "engine/stopwatch.h"
#include "index/area.h"

namespace longsight {
namespace {

cuda::DType KernelType(DType type) {
  switch (type) {
    case DType::kF32:
      return cuda::DType::kF32;
    case DType::kF16:
      return cuda::DType::kF16;
    case DType::kBF16:
      return cuda::DType::kBF16;
  }
  throw Error(ErrorCode::kInternal, "a tensor of unknown element type");
}

void Check(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // so that the next launch does not report it again
  const std::string text =
      std::string("the GPU failed while ") + doing + ": " + cuda::Describe(error);
  if (error == cudaErrorMemoryAllocation) throw Error(ErrorCode::kNotEnoughMemory, text);
  throw Error(cuda::IsSticky(error) ? ErrorCode::kEngineDied : ErrorCode::kInternal, text);
}

void Check(const cuda::Launched& launched) {
  Check(static_cast<cudaError_t>(launched.error), launched.what);
}

int64_t FreeBytes() {
  size_t free = 0, total = 0;
  Check(cudaMemGetInfo(&free, &total), "asking for its free memory");
  return static_cast<int64_t>(free);
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(int device, const cuda::DeviceInfo& info, std::unique_ptr<cuda::BlasLt> blas)
      : device_(device), info_(info), blas_(std::move(blas)) {
    Check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
    attention_workspace_ = Hold(cuda::kAttentionWorkspace, "attention's workspace");
    blas_workspace_ = Hold(cuda::BlasLt::kWorkspaceBytes, "cuBLASLt's workspace");
    ids_ = Hold(kBlockRows * static_cast<int64_t>(sizeof(uint32_t)), "token ids");
    blas_->SetWorkspace(blas_workspace_.get());
  }

  ~CudaBackend() override {
    cudaSetDevice(device_);
    cudaStreamSynchronize(stream_);
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
  int64_t scratch_bytes() const override {
    return cuda::kAttentionWorkspace + cuda::BlasLt::kWorkspaceBytes +
           kBlockRows * static_cast<int64_t>(sizeof(uint32_t));
  }

  BackendMemory Allocate(int64_t bytes, const char* purpose) override {
    Use();
    void* data = nullptr;
    const cudaError_t error = cudaMalloc(&data, static_cast<size_t>(std::max<int64_t>(bytes, 1)));
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      throw Error(ErrorCode::kNotEnoughMemory, info_.name + " gave no " + std::to_string(bytes) +
                                                   " bytes of memory for " + purpose + "; " +
                                                   std::to_string(FreeBytes()) + " are free");
    }
    Check(error, "taking memory");
    // The last handle may go on any thread.
    return {static_cast<std::byte*>(data), [device = device_](std::byte* memory) {
              cudaSetDevice(device);
              cudaFree(memory);
            }};
  }
  int64_t available_bytes() const override {
    Use();
    return FreeBytes() + held_bytes_;
  }
  int64_t device_bytes() const override { return info_.memory_bytes; }

  int64_t TakeWeights(const Model& model) override {
    Use();
    if (model.spec.head_size > cuda::kMaxHeadSize || model.spec.head_size % 8 != 0) {
      throw Error(ErrorCode::kModelUnsupported,
                  "a head size of " + std::to_string(model.spec.head_size) +
                      " is not supported on GPUs (multiples of 8 up to " +
                      std::to_string(cuda::kMaxHeadSize) + " are); use device cpu");
    }
    cuda::Staging staging;
    const int64_t before = held_bytes_;
    TakeMatrix(model.embedding, staging);
    for (const LayerWeights& layer : model.layers) {
      TakeVector(layer.attention_norm, staging);
      TakeVector(layer.mlp_norm, staging);
      TakeVector(layer.query_norm, staging);
      TakeVector(layer.key_norm, staging);
      for (const Linear* linear : {&layer.query, &layer.key, &layer.value, &layer.output,
                                   &layer.gate, &layer.up, &layer.down}) {
        TakeLinear(*linear, staging);
      }
    }
    TakeVector(model.final_norm, staging);
    TakeLinear(model.head, staging);
    const std::vector<double>& frequency = model.spec.rope.inverse_frequency;
    TakeBytes(frequency.data(), static_cast<int64_t>(frequency.size() * sizeof(double)), staging);
    logits_ = Hold(model.spec.vocabulary * static_cast<int64_t>(sizeof(float)), "logits");
    Wait();
    return held_bytes_ - before;
  }

  void Embed(const Tensor& table, const uint32_t* ids, int64_t rows, Rows y) override {
    Use();
    Check(cudaMemcpyAsync(ids_.get(), ids, static_cast<size_t>(rows) * sizeof(uint32_t),
                          cudaMemcpyHostToDevice, stream_),
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
    Check(cuda::RmsNorm(p), "normalising");
  }

  void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y, Accumulate mode) override {
    Use();
    cuda::MatmulParams p{};
    p.x = x.data;
    p.x_stride = x.stride;
    p.w = On(linear.weight.data);
    if (!linear.bias.empty()) {
      p.bias = y.type == DType::kF32 ? On(linear.bias.data())
                                     : bf16_biases_.at(linear.bias.data()).get();
    }
    p.y = y.data;
    p.y_type = KernelType(y.type);
    p.y_stride = y.stride;
    p.rows = rows;
    p.in = linear.weight.shape[1];
    p.out = linear.weight.shape[0];
    p.add = mode == Accumulate::kAdd;
    p.stream = stream_;
    if (rows <= cuda::kStreamedRows) return Check(cuda::MatmulStreamed(p), "multiplying");
    const std::string failure = blas_->Multiply(p);
    if (failure.empty()) return;
    Check(cudaPeekAtLastError(), "multiplying");
    throw Error(ErrorCode::kInternal, failure);
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
    Check(cuda::Rope(p), "turning heads");
  }

  void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) override {
    Use();
    Check(cuda::SwiGlu({gate.data, up.data, gate.stride, up.stride, gate.data, gate.stride, rows, n,
                        stream_}),
          "gating");
  }

  void StoreKv(ConstRows x, int64_t rows, int64_t n, DType type, void* destination) override {
    Use();
    Check(cuda::Convert(
              {x.data, KernelType(x.type), destination, KernelType(type), rows * n, stream_}),
          "storing keys and values");
  }

  void Attend(const DecoderSpec& spec, const AttentionCall& call) override {
    Use();
    const std::vector<cuda::KvRun> runs = Runs(spec, call.kv);
    cuda::AttentionDecodeParams p{};
    p.q = call.query.data;
    p.q_row_stride = call.query.stride;
    p.rows = call.rows;
    p.heads = spec.heads;
    p.kv_heads = spec.kv_heads;
    p.head_size = spec.head_size;
    p.first_position = call.first_position;
    p.window = call.window;
    p.scale = static_cast<float>(spec.attention_scale);
    p.runs = runs.data();
    p.run_count = static_cast<int64_t>(runs.size());
    p.out = call.out.data;
    p.out_row_stride = call.out.stride;
    p.lse = call.lse;
    p.workspace = attention_workspace_.get();
    p.multiprocessors = info_.multiprocessors;
    p.stream = stream_;
    Check(cuda::AttendChunk(p));
  }

  void AttendSparse(const DecoderSpec& spec, const SparseCall& call,
                    PrefillReport& report) override;
  int64_t sparse_bytes(const DecoderSpec& spec, int64_t rows, int64_t tokens) const override;

  void Logits(const Linear& head, ConstRows x, float* logits) override {
    const int64_t n = head.weight.shape[0];
    Multiply(head, x, 1, {logits_.get(), DType::kF32, n}, Accumulate::kOverwrite);
    Check(cudaMemcpyAsync(logits, logits_.get(), static_cast<size_t>(n) * sizeof(float),
                          cudaMemcpyDeviceToHost, stream_),
          "copying logits");
    Wait();
  }

  void Upload(const float* x, int64_t n, Rows y) override {
    const int64_t bytes = n * static_cast<int64_t>(sizeof(float));
    const BackendMemory wide = Allocate(bytes, "an upload");
    cuda::Staging staging;
    Check(staging.Copy(wide.get(), x, bytes, stream_), "uploading");
    Check(cuda::Convert({wide.get(), cuda::DType::kF32, y.data, KernelType(y.type), n, stream_}),
          "uploading");
    Wait();
  }

  void Wait() override {
    Use();
    Check(cudaStreamSynchronize(stream_), "computing");
  }

 private:
  // Enough to fill the largest device several times over, in one layer's products.
  static constexpr int64_t kBlockRows = 8192;

  // The current device belongs to the thread, and calls come from several.
  void Use() const { Check(cudaSetDevice(device_), "being chosen"); }

  // Memory of the backend itself, for as long as it lives.
  BackendMemory Hold(int64_t bytes, const char* purpose) {
    BackendMemory memory = Allocate(bytes, purpose);
    held_bytes_ += bytes;
    return memory;
  }

  // Where the weights that the model has at `host` are on the device.
  const void* On(const void* host) const { return weights_.at(host).get(); }

  void TakeBytes(const void* host, int64_t bytes, cuda::Staging& staging) {
    if (bytes == 0 || weights_.contains(host)) return;
    BackendMemory memory = Hold(bytes, "the weights");
    Check(staging.Copy(memory.get(), host, bytes, stream_), "copying weights");
    weights_.emplace(host, std::move(memory));
  }

  void TakeVector(const std::vector<float>& values, cuda::Staging& staging) {
    TakeBytes(values.data(), static_cast<int64_t>(values.size() * sizeof(float)), staging);
  }

  // As bf16, whatever the file holds.
  void TakeMatrix(const Tensor& tensor, cuda::Staging& staging) {
    const int64_t bytes = tensor.size() * DTypeBytes(tensor.type);
    if (tensor.type == DType::kBF16) return TakeBytes(tensor.data, bytes, staging);
    if (weights_.contains(tensor.data)) return;
    const BackendMemory wide = Allocate(bytes, "the weights");
    Check(staging.Copy(wide.get(), tensor.data, bytes, stream_), "copying weights");
    weights_.emplace(tensor.data, Narrowed(wide.get(), tensor.type, tensor.size()));
  }

  // `values`, on the device, rounded to bf16.
  BackendMemory Narrowed(const void* values, DType type, int64_t n) {
    BackendMemory memory = Hold(n * DTypeBytes(DType::kBF16), "the weights");
    Check(cuda::Convert({values, KernelType(type), memory.get(), cuda::DType::kBF16, n, stream_}),
          "rounding weights");
    Wait();  // the source may go
    return memory;
  }

  void TakeLinear(const Linear& linear, cuda::Staging& staging) {
    TakeMatrix(linear.weight, staging);
    if (linear.bias.empty()) return;
    TakeVector(linear.bias, staging);
    bf16_biases_.emplace(linear.bias.data(), Narrowed(On(linear.bias.data()), DType::kF32,
                                                      static_cast<int64_t>(linear.bias.size())));
  }

  static std::vector<cuda::KvRun> Runs(const DecoderSpec& spec, std::span<const KvRun> runs) {
    std::vector<cuda::KvRun> result;
    for (const KvRun& run : runs) {
      result.push_back(
          {run.keys, run.values, spec.kv_size(), spec.head_size, run.tokens, run.first_position});
    }
    return result;
  }

  int device_;
  cuda::DeviceInfo info_;
  std::unique_ptr<cuda::BlasLt> blas_;
  cudaStream_t stream_ = nullptr;
  // Of all memory below.
  int64_t held_bytes_ = 0;
  BackendMemory attention_workspace_, blas_workspace_, ids_, logits_;
  // By the address of the host's copy.
  std::unordered_map<const void*, BackendMemory> weights_, bf16_biases_;
  // Of AttendSparse; grows with the context.
  BackendMemory sparse_workspace_;
  int64_t sparse_workspace_bytes_ = 0;
};

cuda::SparseChunkShape SparseShape(const DecoderSpec& spec, int64_t rows, int64_t tokens) {
  return {spec.heads, spec.kv_heads, spec.head_size, rows, tokens};
}

int64_t CudaBackend::sparse_bytes(const DecoderSpec& spec, int64_t rows, int64_t tokens) const {
  return cuda::SparseChunkBytes(SparseShape(spec, rows, tokens));
}

void CudaBackend::AttendSparse(const DecoderSpec& spec, const SparseCall& call,
                               PrefillReport& report) {
  Use();
  const std::vector<cuda::KvRun> runs = Runs(spec, call.kv);
  cuda::SparseChunkParams p{};
  p.shape = SparseShape(spec, call.rows, call.first_position + call.rows);
  const int64_t bytes = cuda::SparseChunkBytes(p.shape);
  if (bytes > sparse_workspace_bytes_) {
    Wait();
    held_bytes_ -= sparse_workspace_bytes_;
    sparse_workspace_bytes_ = 0;
    sparse_workspace_.reset();
    sparse_workspace_ = Hold(bytes, "sparse attention's lines");
    sparse_workspace_bytes_ = bytes;
  }
  p.q = call.query.data;
  p.q_row_stride = call.query.stride;
  p.first_position = call.first_position;
  p.scale = static_cast<float>(spec.attention_scale);
  p.runs = runs.data();
  p.run_count = static_cast<int64_t>(runs.size());
  p.patterns = call.patterns;
  p.recall_floor = call.recall_floor;
  p.out = call.out.data;
  p.out_row_stride = call.out.stride;
  p.lse = call.lse;
  p.workspace = sparse_workspace_.get();
  p.stream = stream_;
  const Stopwatch index_watch;
  Check(cuda::ChooseSparseChunk(p));
  Wait();
  report.index_ms += index_watch.milliseconds();
  const Stopwatch attention_watch;
  Check(cuda::AttendSparseChunk(p));
  std::vector<cuda::HeadReport> heads(static_cast<size_t>(spec.heads));
  Check(cudaMemcpyAsync(heads.data(), cuda::SparseChunkReports(p),
                        heads.size() * sizeof(cuda::HeadReport), cudaMemcpyDeviceToHost, stream_),
        "reporting");
  Wait();
  report.attention_ms += attention_watch.milliseconds();
  const double dense_pairs = index::CausalArea(call.first_position, call.rows);
  for (const cuda::HeadReport& head : heads) {
    report.dense_pairs += dense_pairs;
    report.kept_pairs += head.pairs;
    report.guard_pairs += head.guard_pairs;
    if (head.recall >= 1 && head.pairs >= dense_pairs) continue;
    report.sparse = true;
    report.recall_sum += head.recall;
    report.recall_count += 1;
    report.recall_least = std::min(report.recall_least, head.recall);
  }
}

}  // namespace

bool HasCudaBackend() { return true; }

std::unique_ptr<Backend> MakeCudaBackend(int device) {
  const auto fail = [&](const std::string& reason) {
    throw Error(ErrorCode::kDeviceUnavailable,
                "device \"cuda:" + std::to_string(device) + "\" cannot be used: " + reason);
  };
  std::string reason;
  const int count = cuda::DeviceCount(&reason);
  if (count == 0) fail(reason);
  if (device >= count) fail("the driver shows " + std::to_string(count) + " device(s)");
  cuda::DeviceInfo info;
  Check(cuda::GetDeviceInfo(device, &info), "being looked at");
  if (info.major < cuda::kLeastMajor) {
    fail(info.name + " has compute capability " + std::to_string(info.major) + "." +
         std::to_string(info.minor) + ", and " + std::to_string(cuda::kLeastMajor) +
         ".0 is the least");
  }
  Check(cudaSetDevice(device), "being chosen");
  std::unique_ptr<cuda::BlasLt> blas = cuda::BlasLt::Open(cuda::BlasSearchOfEnvironment(), &reason);
  if (blas == nullptr) fail(reason);
  return std::make_unique<CudaBackend>(device, info, std::move(blas));
}

}  // namespace longsight

// What the decoder asks of a device. One implementation per backend; the decoder knows no other way
// to compute.
//
// Activations are row-major where the backend keeps them, strides in elements: fp32 in the residual
// stream, activation_type() elsewhere. Sizes have been checked against the model by the decoder; an
// implementation may rely on them. Calls come from one thread at a time, and may return before
// their work is done: results are there after Logits, Collect or Wait.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "engine/decoder_spec.h"
#include "engine/kv_segment.h"
#include "engine/line_choice.h"
#include "engine/model.h"
#include "engine/prefill_report.h"
#include "engine/sampler.h"

namespace longsight {

struct ConstRows {
  const void* data;
  DType type;
  int64_t stride;

  ConstRows From(int64_t row) const {
    return {static_cast<const std::byte*>(data) + row * stride * DTypeBytes(type), type, stride};
  }
};

struct Rows {
  void* data;
  DType type;
  int64_t stride;

  Rows From(int64_t row) const {
    return {static_cast<std::byte*>(data) + row * stride * DTypeBytes(type), type, stride};
  }
  // The same elements in rows of another length.
  Rows InRowsOf(int64_t elements) const { return {data, type, elements}; }
  operator ConstRows() const { return {data, type, stride}; }  // NOLINT: reading is always allowed
};

enum class Accumulate { kOverwrite, kAdd };

// K and V of one layer for consecutive tokens, [tokens, kv_heads, head_size] each.
struct KvRun {
  const void* keys;
  const void* values;
  const void* key_scales;  // of kE4M3
  const void* value_scales;
  DType type;
  int64_t tokens;
  int64_t first_position;
};

// Rows of K or V in a segment, and their scales.
struct KvRows {
  void* data;
  void* scales;
};

struct AttentionCall {
  ConstRows query;  // [rows, heads, head_size]
  int64_t rows;
  int64_t first_position;     // absolute position of row 0
  int64_t window;             // 0: none
  std::span<const KvRun> kv;  // ascending; at least one
  Rows out;                   // [rows, heads, head_size]
  float* lse;                 // [rows, heads]
  const std::atomic<bool>* cancel;
};

// What one head did in a SparseCall.
struct HeadOutcome {
  double pairs;   // computed, masked ones included
  double recall;  // over the probe rows
};

// The rows of a chunk, in a layer with full attention, over all keys up to the last row.
struct SparseCall {
  ConstRows query;  // [rows, heads, head_size]
  int64_t rows;
  int64_t first_position;
  std::span<const KvRun> kv;           // from position 0 on, without a gap
  const index::HeadPattern* patterns;  // [heads]
  // From 0 to 1: for every head; below 0: each pattern's own.
  double recall_floor;
  index::AreaBudget area;
  HeadOutcome* outcomes;  // [heads], there after Collect; or null
  Rows out;               // [rows, heads, head_size]
  float* lse;             // [rows, heads]
  const std::atomic<bool>* cancel;
};

// Where the attention of one query row of a layer went.
struct MassCall {
  ConstRows query;                // [1, heads, head_size]
  const float* lse;               // [heads]: over all keys of the row, as Attend gave it
  std::span<const KvRun> kv;      // from position 0 on, without a gap
  std::span<const int64_t> ends;  // ascending, at most the tokens of kv
  float* mass;                    // [heads, ends]
  const std::atomic<bool>* cancel;
};

// What a device's time goes to.
enum class Phase { kOther, kIndex, kAttention };

// Memory of a backend, which may outlive it.
using BackendMemory = std::shared_ptr<std::byte>;

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string device() const = 0;           // "cpu", "cuda:0"
  virtual std::string device_name() const = 0;      // of the product, where that is known
  virtual std::string instruction_set() const = 0;  // "avx2", "sm_90"
  virtual int threads() const = 0;
  // Of activations between matrix products.
  virtual DType activation_type() const = 0;
  // Rows that go through projections and MLP together.
  virtual int64_t block_rows() const = 0;
  // What the operations keep for themselves with KV of `kv_type`, whatever their size.
  virtual int64_t scratch_bytes(const DecoderSpec& spec, DType kv_type) const = 0;

  // Memory for KV and activations. Throws Error(kNotEnoughMemory) that names `purpose` and the
  // size.
  virtual BackendMemory Allocate(int64_t bytes, const char* purpose) = 0;
  // What Allocate could still give, and the weights beside it: see MemoryPlan.
  virtual int64_t available_bytes() const = 0;
  // The device's own memory; 0 when it shares the machine's.
  virtual int64_t device_bytes() const = 0;
  // Brings the weights of `model`, which must outlive the backend, where the operations want them;
  // the bytes that they take there. Once, before any operation. Throws Error(kNotEnoughMemory).
  virtual int64_t TakeWeights(const Model& model) = 0;

  // y[rows, hidden] = table[ids].
  virtual void Embed(const Tensor& table, const uint32_t* ids, int64_t rows, Rows y) = 0;
  // y[rows, n] = x / rms(x) * weight[n]; y may be x.
  virtual void RmsNorm(ConstRows x, const std::vector<float>& weight, double epsilon, int64_t rows,
                       Rows y) = 0;
  // y[rows, out] (+)= x[rows, in] * weight^T + bias.
  virtual void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y,
                        Accumulate mode) = 0;
  // y[rows, out] = x[rows, in] * weight^T + bias, of several products of the same rows.
  struct Product {
    const Linear& linear;
    Rows y;
  };
  virtual void MultiplyAll(std::span<const Product> products, ConstRows x, int64_t rows) {
    for (const Product& p : products) Multiply(p.linear, x, rows, p.y, Accumulate::kOverwrite);
  }
  // Turns x[rows, heads, head_size] in place; row r is at first_position + r.
  virtual void Rotate(const RopeSpec& rope, Rows x, int64_t rows, int64_t heads, int64_t head_size,
                      int64_t first_position) = 0;
  // gate[rows, n] = silu(gate) * up.
  virtual void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) = 0;
  // Rounds x[rows, kv_heads, head_size] into a KV segment.
  virtual void StoreKv(const KvLayout& layout, ConstRows x, int64_t rows, KvRows destination) = 0;
  virtual void Attend(const DecoderSpec& spec, const AttentionCall& call) = 0;
  // Marks its phases by itself, and is followed by kOther.
  virtual void AttendSparse(const DecoderSpec& spec, const SparseCall& call) = 0;
  // sums[heads, 2], on the host: over all rows and elements, the squares of expected[rows, heads,
  // head_size], and of actual - expected, both in activation_type(). Waits.
  virtual void CompareHeads(ConstRows expected, ConstRows actual, int64_t rows, int64_t heads,
                            int64_t head_size, double* sums) = 0;
  // What AttendSparse keeps for itself for chunks of `rows` in a context of `tokens`.
  virtual int64_t sparse_bytes(const DecoderSpec& spec, int64_t rows, int64_t tokens) const = 0;
  // Takes that memory at once, rather than more with every chunk. Throws Error(kNotEnoughMemory).
  virtual void ReserveSparse(const DecoderSpec& spec, int64_t rows, int64_t tokens) = 0;
  // logits[rows, vocabulary], on the host, = x[rows, hidden] * head^T. Waits.
  virtual void Logits(const Linear& head, ConstRows x, int64_t rows, float* logits) = 0;
  // The id that SampleToken (sampler.h) draws from the logits of x[1, hidden], but for rounding in
  // fp64. Waits. Throws Error(kInternal) when one is NaN.
  virtual uint32_t Sample(const Linear& head, ConstRows x, const Draw& draw) = 0;
  // y[n] = x[n], from the host. Has been read when this returns.
  virtual void Upload(const float* x, int64_t n, Rows y) = 0;
  // mass[head][i] += the row's attention to the keys [ends[i - 1], ends[i]). False: this device
  // cannot tell.
  virtual bool AddMass(const DecoderSpec& /*spec*/, const MassCall& /*call*/) { return false; }
  // One token of a generation: `pass` embeds it and runs its layers. What was recorded of the calls
  // of an earlier position may run instead: from one step to the next they must differ in nothing
  // but the token and what moves on with the position, which is positions and rows of KV.
  virtual void RunStep(uint32_t /*token*/, int64_t /*position*/,
                       const std::function<void()>& pass) {
    pass();
  }
  // The steps that follow have other memory.
  virtual void ForgetSteps() {}
  // The work of the calls from here on counts as `phase`.
  virtual void Mark(Phase phase) = 0;
  // Waits until what was called before the last Pace is done: the caller is never far ahead of the
  // device, and the device never without work. True when all that was called is done.
  virtual bool Pace() = 0;
  // Waits; then adds to `report` the times that were marked and what sparse heads did since the
  // last Collect.
  virtual void Collect(PrefillReport& report) = 0;
  // Until all that was called is done. Throws Error(kEngineDied) when the device failed.
  virtual void Wait() = 0;

  // Between the device's memory and the machine's own, any of it. From any thread, beside all other
  // calls, one of these two at a time. What is there when they are called is copied, and is there
  // when they return. Throws Error: kEngineDied, kNotEnoughMemory.
  struct Copy {
    const void* from;
    void* to;
    int64_t bytes;
  };
  virtual void CopyToHost(std::span<const Copy> copies) = 0;
  virtual void CopyToDevice(std::span<const Copy> copies) = 0;
};

// Threads beyond this are a mistake rather than a wish.
inline constexpr int kMaxThreads = 1024;

// The instruction set that the CPU backend uses, such as "avx2". Throws Error(kInvalidArgument)
// when LONGSIGHT_ISA names one that is unknown or absent here.
std::string CpuInstructionSet();

// `exact`: no rounding of activations. `threads` <= 0: one per processor that this process may use.
// Throws Error as CpuInstructionSet does.
std::unique_ptr<Backend> MakeCpuBackend(int threads, bool exact);

// What a backend keeps the weights of linear layers in; those of embedding and head stay bf16.
enum class WeightType {
  kBf16,
  kFp8,  // half the memory; on a GPU
};

// Device number `device`, counted as the driver does. Throws Error(kDeviceUnavailable) that says
// what is missing: the backend in this build, a driver, such a device, a library.
std::unique_ptr<Backend> MakeCudaBackend(int device, WeightType weights = WeightType::kBf16);
// Compiled into this build.
bool HasCudaBackend();

}  // namespace longsight

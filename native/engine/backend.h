// What the decoder asks of a device. One implementation per backend; the decoder knows no other way
// to compute.
//
// Activations are fp32, row-major, strides in elements. Sizes have been checked against the model
// by the decoder; an implementation may rely on them. Calls come from one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/decoder_spec.h"
#include "engine/line_choice.h"
#include "engine/model.h"
#include "engine/prefill_report.h"

namespace longsight {

struct ConstRows {
  const float* data;
  int64_t stride;
};

struct Rows {
  float* data;
  int64_t stride;
};

enum class Accumulate { kOverwrite, kAdd };

// K and V of one layer for consecutive tokens, [tokens, kv_heads, head_size] each.
struct KvRun {
  const void* keys;
  const void* values;
  DType type;
  int64_t tokens;
  int64_t first_position;
};

struct AttentionCall {
  const float* query;  // [rows, heads, head_size]
  int64_t rows;
  int64_t first_position;  // absolute position of row 0
  int64_t window;          // 0: none
  KvRun kv;
  float* out;  // [rows, heads, head_size]
  float* lse;  // [rows, heads]
  // `out` and `lse` hold the result over earlier runs, to be merged with this one's.
  bool merge;
  const std::atomic<bool>* cancel;
};

// What one head did in a SparseCall.
struct HeadOutcome {
  double pairs;   // computed, masked ones included
  double recall;  // over the probe rows
};

// The rows of a chunk, in a layer with full attention, over all keys up to the last row.
struct SparseCall {
  const float* query;  // [rows, heads, head_size]
  int64_t rows;
  int64_t first_position;
  std::span<const KvRun> kv;           // from position 0 on, without a gap
  const index::HeadPattern* patterns;  // [heads]
  // From 0 to 1: for every head; below 0: each pattern's own.
  double recall_floor;
  AreaBudget area;
  HeadOutcome* outcomes;  // [heads]; or null
  float* out;             // [rows, heads, head_size]
  float* lse;             // [rows, heads]
  const std::atomic<bool>* cancel;
};

// Where the attention of one query row of a layer went.
struct MassCall {
  const float* query;             // [heads, head_size]
  const float* lse;               // [heads]: over all keys of the row, as Attend gave it
  std::span<const KvRun> kv;      // from position 0 on, without a gap
  std::span<const int64_t> ends;  // ascending, at most the tokens of kv
  float* mass;                    // [heads, ends]
  const std::atomic<bool>* cancel;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string device() const = 0;           // "cpu"
  virtual std::string instruction_set() const = 0;  // "avx2"
  virtual int threads() const = 0;
  // What the operations keep for themselves, whatever their size.
  virtual int64_t scratch_bytes() const = 0;

  // y[rows, hidden] = table[ids].
  virtual void Embed(const Tensor& table, const uint32_t* ids, int64_t rows, float* y) = 0;
  // y[rows, n] = x / rms(x) * weight[n]; y may be x.
  virtual void RmsNorm(ConstRows x, const std::vector<float>& weight, double epsilon, int64_t rows,
                       Rows y) = 0;
  // y[rows, out] (+)= x[rows, in] * weight^T + bias.
  virtual void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y,
                        Accumulate mode) = 0;
  // Turns x[rows, heads, head_size] in place; row r is at first_position + r.
  virtual void Rotate(const RopeSpec& rope, float* x, int64_t rows, int64_t heads,
                      int64_t head_size, int64_t first_position) = 0;
  // gate[rows, n] = silu(gate) * up.
  virtual void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) = 0;
  // Rounds `n` fp32 numbers into a KV segment.
  virtual void StoreKv(const float* x, int64_t n, DType type, void* destination) = 0;
  virtual void Attend(const DecoderSpec& spec, const AttentionCall& call) = 0;
  // Adds what it did to `report`.
  virtual void AttendSparse(const DecoderSpec& spec, const SparseCall& call,
                            PrefillReport& report) = 0;
  // What AttendSparse keeps for itself at a context of `tokens`.
  virtual int64_t sparse_bytes(const DecoderSpec& spec, int64_t tokens) const = 0;
  // mass[head][i] += the row's attention to the keys [ends[i - 1], ends[i]). False: this device
  // cannot tell.
  virtual bool AddMass(const DecoderSpec& /*spec*/, const MassCall& /*call*/) { return false; }
};

// Threads beyond this are a mistake rather than a wish.
inline constexpr int kMaxThreads = 1024;

// The instruction set that the CPU backend uses, such as "avx2". Throws Error(kInvalidArgument)
// when LONGSIGHT_ISA names one that is unknown or absent here.
std::string CpuInstructionSet();

// `exact`: no rounding of activations. `threads` <= 0: one per processor that this process may use.
// Throws Error as CpuInstructionSet does.
std::unique_ptr<Backend> MakeCpuBackend(int threads, bool exact);

}  // namespace longsight

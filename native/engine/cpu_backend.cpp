// The CPU backend: the one file that knows kernels/cpu.
#include <thread>

#include "cpu/isa.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "engine/backend.h"
#include "engine/error.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace longsight {
namespace {

cpu::DType KernelType(DType type) {
  switch (type) {
    case DType::kF32:
      return cpu::DType::kF32;
    case DType::kF16:
      return cpu::DType::kF16;
    case DType::kBF16:
      return cpu::DType::kBF16;
  }
  throw Error(ErrorCode::kInternal, "a tensor of unknown element type");
}

// The affinity mask knows of taskset and cpusets, which hardware_concurrency does not everywhere.
int UsableProcessors() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : static_cast<int>(count);
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, bool exact) : threads_(threads), exact_(exact), pool_(threads) {}

  std::string device() const override { return "cpu"; }
  std::string instruction_set() const override { return cpu::IsaName(); }
  int threads() const override { return threads_; }
  int64_t scratch_bytes() const override {
    return threads_ * static_cast<int64_t>(cpu::ThreadPool::kScratchBytes +
                                           cpu::ThreadPool::kSharedScratchBytesPerThread);
  }

  void Embed(const Tensor& table, const uint32_t* ids, int64_t rows, float* y) override {
    cpu::Embed(pool_, table.data, KernelType(table.type), ids, rows, table.shape[1], y);
  }

  void RmsNorm(ConstRows x, const std::vector<float>& weight, double epsilon, int64_t rows,
               Rows y) override {
    cpu::RmsNormParams p{};
    p.x = x.data;
    p.x_stride = x.stride;
    p.weight = weight.data();
    p.y = y.data;
    p.y_stride = y.stride;
    p.rows = rows;
    p.n = static_cast<int64_t>(weight.size());
    p.eps = static_cast<float>(epsilon);
    cpu::RmsNorm(pool_, p);
  }

  void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y, Accumulate mode) override {
    cpu::MatmulParams p{};
    p.x = x.data;
    p.x_stride = x.stride;
    p.w = linear.weight.data;
    p.w_type = KernelType(linear.weight.type);
    p.bias = linear.bias.empty() ? nullptr : linear.bias.data();
    p.y = y.data;
    p.y_stride = y.stride;
    p.rows = rows;
    p.in = linear.weight.shape[1];
    p.out = linear.weight.shape[0];
    p.add = mode == Accumulate::kAdd;
    p.round_activations = !exact_;
    cpu::Matmul(pool_, p);
  }

  void Rotate(const RopeSpec& rope, float* x, int64_t rows, int64_t heads, int64_t head_size,
              int64_t first_position) override {
    cpu::RopeParams p{};
    p.x = x;
    p.row_stride = heads * head_size;
    p.head_stride = head_size;
    p.rows = rows;
    p.heads = heads;
    p.rotary = rope.rotary;
    p.inverse_frequency = rope.inverse_frequency.data();
    p.first_position = first_position;
    p.magnitude = static_cast<float>(rope.magnitude);
    p.interleaved = rope.interleaved;
    cpu::Rope(pool_, p);
  }

  void SwiGlu(Rows gate, ConstRows up, int64_t rows, int64_t n) override {
    cpu::SwiGluParams p{};
    p.gate = gate.data;
    p.up = up.data;
    p.gate_stride = gate.stride;
    p.up_stride = up.stride;
    p.y = gate.data;
    p.y_stride = gate.stride;
    p.rows = rows;
    p.n = n;
    cpu::SwiGlu(pool_, p);
  }

  void StoreKv(const float* x, int64_t n, DType type, void* destination) override {
    cpu::Convert(pool_, x, destination, KernelType(type), n);
  }

  void Attend(const DecoderSpec& spec, const AttentionCall& call) override {
    cpu::AttentionParams p{};
    p.q = call.query;
    p.q_row_stride = spec.query_size();
    p.q_head_stride = spec.head_size;
    p.rows = call.rows;
    p.heads = spec.heads;
    p.kv_heads = spec.kv_heads;
    p.head_size = spec.head_size;
    p.first_position = call.first_position;
    p.window = call.window;
    p.scale = static_cast<float>(spec.attention_scale);
    p.kv.k = call.kv.keys;
    p.kv.v = call.kv.values;
    p.kv.type = KernelType(call.kv.type);
    p.kv.row_stride = spec.kv_size();
    p.kv.head_stride = spec.head_size;
    p.kv.tokens = call.kv.tokens;
    p.kv.first_position = call.kv.first_position;
    p.out = call.out;
    p.out_row_stride = spec.query_size();
    p.out_head_stride = spec.head_size;
    p.lse = call.lse;
    p.merge = call.merge;
    p.round_activations = !exact_;
    p.cancel = call.cancel;
    cpu::Attention(pool_, p);
  }

 private:
  int threads_;
  bool exact_;
  cpu::ThreadPool pool_;
};

}  // namespace

std::string CpuInstructionSet() {
  const std::string& refusal = cpu::SelectIsa();
  if (!refusal.empty()) throw Error(ErrorCode::kInvalidArgument, refusal);
  return cpu::IsaName();
}

std::unique_ptr<Backend> MakeCpuBackend(int threads, bool exact) {
  CpuInstructionSet();  // no operation may be called when it refuses
  return std::make_unique<CpuBackend>(threads > 0 ? threads : UsableProcessors(), exact);
}

}  // namespace longsight

// The CPU backend: the one file that knows kernels/cpu.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "cpu/isa.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "engine/anonymous_memory.h"
#include "engine/backend.h"
#include "engine/block_recall.h"
#include "engine/error.h"
#include "engine/line_choice.h"
#include "engine/sampler.h"
#include "engine/stopwatch.h"
#include "engine/system_memory.h"
#include "engine/system_processors.h"
#include "index/area.h"

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
    case DType::kE4M3:
      break;
  }
  throw Error(ErrorCode::kInternal, "a tensor of unknown element type");
}

// The CPU's activations are fp32.
const float* Floats(ConstRows rows) { return static_cast<const float*>(rows.data); }
float* Floats(Rows rows) { return static_cast<float*>(rows.data); }

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, bool exact) : threads_(threads), exact_(exact), pool_(threads) {}

  std::string device() const override { return "cpu"; }
  std::string device_name() const override { return ""; }
  std::string instruction_set() const override { return cpu::IsaName(); }
  int threads() const override { return threads_; }
  DType activation_type() const override { return DType::kF32; }
  // Enough to amortise the unpacking of weights, few enough that intermediate results stay in the
  // cache.
  int64_t block_rows() const override { return 512; }
  int64_t scratch_bytes(const DecoderSpec&, DType) const override {
    return threads_ * static_cast<int64_t>(cpu::ThreadPool::kScratchBytes +
                                           cpu::ThreadPool::kSharedScratchBytesPerThread);
  }

  BackendMemory Allocate(int64_t bytes, const char* purpose) override {
    auto memory = std::make_shared<AnonymousMemory>(bytes, purpose);
    std::byte* const data = memory->data();
    return {std::move(memory), data};
  }
  int64_t available_bytes() const override { return AvailableMemoryBytes(); }
  int64_t device_bytes() const override { return 0; }
  // Read where they lie, in the mapped file.
  int64_t TakeWeights(const Model& model) override { return model.weights_bytes; }

  void Embed(const Tensor& table, const uint32_t* ids, int64_t rows, Rows y) override {
    cpu::Embed(pool_, table.data, KernelType(table.type), ids, rows, table.shape[1], Floats(y));
  }

  void RmsNorm(ConstRows x, const std::vector<float>& weight, double epsilon, int64_t rows,
               Rows y) override {
    cpu::RmsNormParams p{};
    p.x = Floats(x);
    p.x_stride = x.stride;
    p.weight = weight.data();
    p.y = Floats(y);
    p.y_stride = y.stride;
    p.rows = rows;
    p.n = static_cast<int64_t>(weight.size());
    p.eps = static_cast<float>(epsilon);
    cpu::RmsNorm(pool_, p);
  }

  void Multiply(const Linear& linear, ConstRows x, int64_t rows, Rows y, Accumulate mode) override {
    cpu::MatmulParams p{};
    p.x = Floats(x);
    p.x_stride = x.stride;
    p.w = linear.weight.data;
    p.w_type = KernelType(linear.weight.type);
    p.bias = linear.bias.empty() ? nullptr : linear.bias.data();
    p.y = Floats(y);
    p.y_stride = y.stride;
    p.rows = rows;
    p.in = linear.weight.shape[1];
    p.out = linear.weight.shape[0];
    p.add = mode == Accumulate::kAdd;
    p.round_activations = !exact_;
    cpu::Matmul(pool_, p);
  }

  void Rotate(const RopeSpec& rope, Rows x, int64_t rows, int64_t heads, int64_t head_size,
              int64_t first_position) override {
    cpu::RopeParams p{};
    p.x = Floats(x);
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
    p.gate = Floats(gate);
    p.up = Floats(up);
    p.gate_stride = gate.stride;
    p.up_stride = up.stride;
    p.y = Floats(gate);
    p.y_stride = gate.stride;
    p.rows = rows;
    p.n = n;
    cpu::SwiGlu(pool_, p);
  }

  void StoreKv(const KvLayout& layout, ConstRows x, int64_t rows, KvRows destination) override {
    cpu::Convert(pool_, Floats(x), destination.data, KernelType(layout.type),
                 rows * layout.row_elements());
  }

  void Attend(const DecoderSpec& spec, const AttentionCall& call) override {
    cpu::AttentionParams p{};
    p.q = Floats(call.query);
    p.q_row_stride = call.query.stride;
    p.q_head_stride = spec.head_size;
    p.rows = call.rows;
    p.heads = spec.heads;
    p.kv_heads = spec.kv_heads;
    p.head_size = spec.head_size;
    p.first_position = call.first_position;
    p.window = call.window;
    p.scale = static_cast<float>(spec.attention_scale);
    p.out = Floats(call.out);
    p.out_row_stride = call.out.stride;
    p.out_head_stride = spec.head_size;
    p.lse = call.lse;
    p.round_activations = !exact_;
    p.cancel = call.cancel;
    for (const KvRun& run : call.kv) {
      p.kv = {run.keys,       run.values, KernelType(run.type), spec.kv_size(),
              spec.head_size, run.tokens, run.first_position};
      cpu::Attention(pool_, p);
      if (call.cancel->load(std::memory_order_relaxed)) return;
      p.merge = true;
    }
  }

  void AttendSparse(const DecoderSpec& spec, const SparseCall& call) override {
    Mark(Phase::kIndex);
    const std::vector<cpu::KvView> views = Views(spec, call.kv);
    const ChunkRows chunk = {call.first_position, call.rows, cpu::kSparseRows};
    const cpu::KvViews kv = {views.data(), static_cast<int64_t>(views.size()), chunk.tokens()};
    if (HasBlocks(spec, call)) ComputeKeyMeans(spec, kv);
    const std::vector<HeadChoice> choices = Choose(spec, call, chunk, kv);
    if (call.cancel->load(std::memory_order_relaxed)) return;
    Mark(Phase::kAttention);
    AttendCovers(spec, call, kv, choices);
    Mark(Phase::kOther);
    if (call.cancel->load(std::memory_order_relaxed)) return;
    AddToReport(spec, call, chunk, choices);
  }

  void CompareHeads(ConstRows expected, ConstRows actual, int64_t rows, int64_t heads,
                    int64_t head_size, double* sums) override {
    cpu::CompareHeads(pool_, {Floats(expected), expected.stride, Floats(actual), actual.stride,
                              rows, heads, head_size, sums});
  }

  bool AddMass(const DecoderSpec& spec, const MassCall& call) override {
    const std::vector<cpu::KvView> views = Views(spec, call.kv);
    cpu::AttentionMassParams p{};
    p.q = Floats(call.query);
    p.q_head_stride = spec.head_size;
    p.heads = spec.heads;
    p.kv_heads = spec.kv_heads;
    p.head_size = spec.head_size;
    p.scale = static_cast<float>(spec.attention_scale);
    p.kv = {views.data(), static_cast<int64_t>(views.size()), 0};
    for (const cpu::KvView& view : views) p.kv.tokens += view.tokens;
    p.lse = call.lse;
    p.ends = call.ends.data();
    p.spans = static_cast<int64_t>(call.ends.size());
    p.mass = call.mass;
    p.cancel = call.cancel;
    cpu::AttentionMass(pool_, p);
    return true;
  }

  int64_t sparse_bytes(const DecoderSpec& spec, int64_t, int64_t tokens) const override {
    const int64_t group = spec.heads / spec.kv_heads;
    const int64_t bands = tokens / index::kBandOffsets + 1;
    const int64_t floats = group * (tokens + bands) + cpu::ProbeWorkspaceFloats(group, tokens) +
                           spec.kv_heads * spec.head_size * (tokens / index::kKeyBlock + 1);
    return floats * static_cast<int64_t>(sizeof(float));
  }
  void ReserveSparse(const DecoderSpec&, int64_t, int64_t) override {}

  void Logits(const Linear& head, ConstRows x, int64_t rows, float* logits) override {
    Multiply(head, x, rows, {logits, DType::kF32, head.weight.shape[0]}, Accumulate::kOverwrite);
  }

  uint32_t Sample(const Linear& head, ConstRows x, const Draw& draw) override {
    std::vector<float> logits(static_cast<size_t>(head.weight.shape[0]));
    Logits(head, x, 1, logits.data());
    return SampleToken(logits, draw);
  }

  void Upload(const float* x, int64_t n, Rows y) override { std::copy_n(x, n, Floats(y)); }

  void Mark(Phase phase) override {
    const double milliseconds = phase_watch_.milliseconds();
    if (phase_ == Phase::kIndex) report_.index_ms += milliseconds;
    if (phase_ == Phase::kAttention) report_.attention_ms += milliseconds;
    phase_ = phase;
    phase_watch_ = Stopwatch();
  }
  // Nothing returns before its work is done.
  bool Pace() override { return true; }
  void Collect(PrefillReport& report) override {
    Mark(Phase::kOther);
    report.Add(std::exchange(report_, {}));
  }
  void Wait() override {}
  void CopyToHost(std::span<const Copy> copies) override {
    for (const Copy& copy : copies) {
      std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.bytes));
    }
  }
  void CopyToDevice(std::span<const Copy> copies) override { CopyToHost(copies); }

 private:
  static std::vector<cpu::KvView> Views(const DecoderSpec& spec, std::span<const KvRun> runs) {
    std::vector<cpu::KvView> views;
    for (const KvRun& run : runs) {
      views.push_back({run.keys, run.values, KernelType(run.type), spec.kv_size(), spec.head_size,
                       run.tokens, run.first_position});
    }
    return views;
  }

  static int64_t KeyBlocks(int64_t tokens) { return index::DivideUp(tokens, index::kKeyBlock); }

  static bool HasBlocks(const DecoderSpec& spec, const SparseCall& call) {
    return std::any_of(call.patterns, call.patterns + spec.heads, [](const auto& pattern) {
      return pattern.kind == index::PatternKind::kBlockSparse;
    });
  }

  void ComputeKeyMeans(const DecoderSpec& spec, const cpu::KvViews& kv) {
    key_means_.resize(static_cast<size_t>(spec.kv_heads * spec.head_size * KeyBlocks(kv.tokens)));
    cpu::KeyMeans(pool_, {kv, spec.kv_heads, spec.head_size, key_means_.data()});
  }

  // Every head's cover, KV head by KV head: the probe's sums are as long as the context.
  std::vector<HeadChoice> Choose(const DecoderSpec& spec, const SparseCall& call,
                                 const ChunkRows& chunk, const cpu::KvViews& kv) {
    const int64_t group = spec.heads / spec.kv_heads;
    const int64_t tokens = kv.tokens, bands = index::DivideUp(tokens, index::kBandOffsets);
    std::vector<HeadChoice> choices(static_cast<size_t>(spec.heads));
    const int64_t probe_rows = std::min(index::kProbeRows, call.rows);
    dense_lse_.resize(static_cast<size_t>(spec.heads * index::kProbeRows));
    columns_.resize(static_cast<size_t>(group * tokens));
    bands_.resize(static_cast<size_t>(group * bands));
    workspace_.resize(static_cast<size_t>(cpu::ProbeWorkspaceFloats(group, tokens)));
    for (int64_t kv_head = 0; kv_head < spec.kv_heads; ++kv_head) {
      const int64_t first_head = kv_head * group;
      cpu::ProbeParams p{};
      p.q = Floats(call.query.From(call.rows - probe_rows)) + first_head * spec.head_size;
      p.q_row_stride = spec.query_size();
      p.q_head_stride = spec.head_size;
      p.rows = probe_rows;
      p.heads = group;
      p.head_size = spec.head_size;
      p.scale = static_cast<float>(spec.attention_scale);
      p.kv = kv;
      p.kv_head = kv_head;
      p.columns = columns_.data();
      p.bands = bands_.data();
      p.lse = dense_lse_.data() + first_head * probe_rows;
      p.workspace = workspace_.data();
      p.round_activations = !exact_;
      p.cancel = call.cancel;
      cpu::Probe(pool_, p);
      if (call.cancel->load(std::memory_order_relaxed)) return choices;
      pool_.ParallelFor(group, [&](int64_t i, int) {
        const index::HeadPattern& pattern = call.patterns[first_head + i];
        HeadChoice& choice = choices[static_cast<size_t>(first_head + i)];
        const ProbeSums sums = {columns_.data() + i * tokens, bands_.data() + i * bands, tokens,
                                probe_rows};
        const double floor = call.recall_floor >= 0 ? call.recall_floor : pattern.recall_floor;
        if (pattern.kind == index::PatternKind::kBlockSparse) {
          choice = ChooseBlocks(pattern, chunk);
          if (floor <= 0 || choice.kind == index::PatternKind::kDense) return;
          const BlockScoring scoring = {
              Floats(call.query) + (first_head + i) * spec.head_size, spec.query_size(),
              spec.head_size, key_means_.data() + kv_head * KeyBlocks(tokens) * spec.head_size};
          if (BlockRecall(scoring, pattern.a, chunk, sums) >= floor) return;
          // What the blocks do not reach, lines can.
          const double block_pairs = choice.pairs;
          choice = ChooseLines(index::kDefaultPattern, chunk, sums, floor, call.area);
          choice.guard_pairs = std::max(0.0, choice.pairs - block_pairs);
          return;
        }
        choice = ChooseLines(pattern, chunk, sums, floor, call.area);
      });
    }
    return choices;
  }

  void AttendCovers(const DecoderSpec& spec, const SparseCall& call, const cpu::KvViews& kv,
                    const std::vector<HeadChoice>& choices) {
    std::vector<cpu::HeadCover> covers;
    for (const HeadChoice& choice : choices) {
      covers.push_back({choice.kind, choice.lines(), choice.blocks});
    }
    cpu::SparseAttentionParams p{};
    p.q = Floats(call.query);
    p.q_row_stride = p.out_row_stride = spec.query_size();
    p.q_head_stride = p.out_head_stride = spec.head_size;
    p.rows = call.rows;
    p.heads = spec.heads;
    p.kv_heads = spec.kv_heads;
    p.head_size = spec.head_size;
    p.first_position = call.first_position;
    p.scale = static_cast<float>(spec.attention_scale);
    p.kv = kv;
    p.covers = covers.data();
    p.out = Floats(call.out);
    p.lse = call.lse;
    p.round_activations = !exact_;
    p.cancel = call.cancel;
    p.key_means = key_means_.data();
    cpu::SparseAttention(pool_, p);
  }

  // Recall as it came out: the kept share of each probe row's attention, by its two log-sum-exps.
  void AddToReport(const DecoderSpec& spec, const SparseCall& call, const ChunkRows& chunk,
                   const std::vector<HeadChoice>& choices) {
    const int64_t probe_rows = std::min(index::kProbeRows, call.rows);
    const double dense = index::CausalArea(chunk.first_position, chunk.rows);
    for (int64_t head = 0; head < spec.heads; ++head) {
      const HeadChoice& choice = choices[static_cast<size_t>(head)];
      double recall = 1;
      if (choice.kind != index::PatternKind::kDense) {
        recall = 0;
        for (int64_t i = 0; i < probe_rows; ++i) {
          const int64_t row = call.rows - probe_rows + i;
          recall +=
              std::exp(static_cast<double>(call.lse[row * spec.heads + head]) -
                       static_cast<double>(dense_lse_[static_cast<size_t>(head * probe_rows + i)]));
        }
        recall = std::min(1.0, recall / static_cast<double>(probe_rows));
      }
      report_.AddHead(dense, choice.pairs, choice.guard_pairs, recall);
      if (call.outcomes != nullptr) call.outcomes[head] = {choice.pairs, recall};
    }
  }

  int threads_;
  bool exact_;
  cpu::ThreadPool pool_;
  // Since the last Collect.
  PrefillReport report_;
  Phase phase_ = Phase::kOther;
  Stopwatch phase_watch_;
  // Of AttendSparse; kept from call to call.
  std::vector<float> columns_, bands_, workspace_, key_means_, dense_lse_;
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

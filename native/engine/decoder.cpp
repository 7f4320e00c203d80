#include "engine/decoder.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "engine/line_choice.h"
#include "engine/stopwatch.h"
#include "index/area.h"

namespace longsight {
namespace {

// `auto` (longsight bench prefill --mode dense,sparse; longsight-bench-kernels --only sparse): a
// pair of a sparse cover costs up to 1.3 pairs of dense attention, a pair of the probe, which sees
// each key twice, 2; and sparse must promise to save a tenth.
constexpr double kSparsePairCost = 1.3;
constexpr double kProbePairCost = 2;
constexpr double kSaving = 0.9;

// Whether a chunk's first budget, before any guard, costs less than dense attention.
bool SparsePays(int64_t first_position, int64_t rows) {
  const double tokens = static_cast<double>(first_position + rows);
  const double covered =
      static_cast<double>(rows) * static_cast<double>(FirstBudget(first_position + rows));
  const double probed = static_cast<double>(std::min(index::kProbeRows, rows)) * tokens;
  return covered * kSparsePairCost + probed * kProbePairCost <
         kSaving * index::CausalArea(first_position, rows);
}

// Rows whose logits, of a whole vocabulary each, are held at a time.
constexpr int64_t kScoredRows = 32;

double LogLikelihood(std::span<const float> logits, uint32_t token) {
  const double top = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return static_cast<double>(logits[token]) - top - std::log(sum);
}

}  // namespace

struct Decoder::Chunk {
  const KvState& base;
  KvSegment& tail;
  std::span<const uint32_t> tokens;
  // This chunk's tokens and all that follow them.
  std::span<const uint32_t> rest;
  Workspace& space;
  const std::atomic<bool>& cancel;
  // Tokens done before this chunk, to be reported with its share of the layers.
  int64_t done;
  const ForwardProgress& progress;
  float* logits;  // or null

  int64_t rows() const { return static_cast<int64_t>(tokens.size()); }
  int64_t first_position() const { return tail.first_position() + tail.tokens(); }
  void CheckCancelled() const {
    if (cancel.load(std::memory_order_relaxed)) throw Error(ErrorCode::kCancelled, "cancelled");
  }
};

void Decoder::Forward(const KvState& base, KvSegment& tail, std::span<const uint32_t> tokens,
                      Workspace& workspace, const std::atomic<bool>& cancel,
                      const ForwardProgress& progress, float* logits) {
  const auto total = static_cast<int64_t>(tokens.size());
  for (int64_t done = 0; done < total;) {
    const int64_t rows = std::min(workspace.chunk(), total - done);
    const bool last = done + rows == total;
    const Chunk chunk{base,
                      tail,
                      tokens.subspan(static_cast<size_t>(done), static_cast<size_t>(rows)),
                      tokens.subspan(static_cast<size_t>(done)),
                      workspace,
                      cancel,
                      done,
                      progress,
                      last ? logits : nullptr};
    ForwardChunk(chunk);
    tail.Commit(rows);
    done += rows;
    progress(done);
  }
}

void Decoder::ForwardChunk(const Chunk& chunk) {
  const int64_t layers = model_.spec.layer_count();
  Embed(chunk);
  for (int64_t layer = 0; layer < layers; ++layer) {
    // Nobody reads the last layer's output but for the rows that logits come from: of the others
    // only K and V live on.
    const bool last = layer + 1 == layers;
    const int64_t first_row = !last ? 0 : FirstOutput(chunk);
    Project(chunk, layer, first_row);
    if (first_row == chunk.rows()) return;
    Attend(chunk, layer, first_row);
    if (evidence_ != nullptr && chunk.logits != nullptr) AddEvidence(chunk, layer);
    FinishLayer(chunk, layer, first_row);
    chunk.progress(chunk.done + chunk.rows() * (layer + 1) / (layers + 1));
  }
  Score(chunk);
  if (chunk.logits != nullptr) ComputeLogits(chunk, chunk.rows() - 1, 1, chunk.logits);
}

int64_t Decoder::FirstOutput(const Chunk& chunk) const {
  const int64_t last = chunk.rows() - (chunk.logits != nullptr ? 1 : 0);
  if (settings_ == nullptr || settings_->score_from <= 0) return last;
  return std::clamp<int64_t>(settings_->score_from - 1 - chunk.done, 0, last);
}

void Decoder::Embed(const Chunk& chunk) {
  for (int64_t begin = 0; begin < chunk.rows(); begin += kBlockRows) {
    chunk.CheckCancelled();
    const int64_t rows = std::min(kBlockRows, chunk.rows() - begin);
    backend_.Embed(model_.embedding, chunk.tokens.data() + begin, rows,
                   chunk.space.residual + begin * model_.spec.hidden);
  }
}

// K and V of all rows into the segment, and the queries of the rows from `first_query` on.
void Decoder::Project(const Chunk& chunk, int64_t layer, int64_t first_query) {
  const DecoderSpec& spec = model_.spec;
  const LayerWeights& weights = model_.layers[static_cast<size_t>(layer)];
  const bool rope = spec.layers[static_cast<size_t>(layer)].rope;
  Workspace& space = chunk.space;
  const DType kv_type = chunk.tail.layout().type;

  for (int64_t begin = 0; begin < chunk.rows(); begin += kBlockRows) {
    chunk.CheckCancelled();
    const int64_t rows = std::min(kBlockRows, chunk.rows() - begin);
    const int64_t position = chunk.first_position() + begin;
    const ConstRows normed{space.normed, spec.hidden};
    backend_.RmsNorm({space.residual + begin * spec.hidden, spec.hidden}, weights.attention_norm,
                     spec.norm_epsilon, rows, {space.normed, spec.hidden});

    backend_.Multiply(weights.key, normed, rows, {space.key, spec.kv_size()},
                      Accumulate::kOverwrite);
    backend_.Multiply(weights.value, normed, rows, {space.value, spec.kv_size()},
                      Accumulate::kOverwrite);
    if (!weights.key_norm.empty()) {
      backend_.RmsNorm({space.key, spec.head_size}, weights.key_norm, spec.norm_epsilon,
                       rows * spec.kv_heads, {space.key, spec.head_size});
    }
    if (rope) {
      backend_.Rotate(spec.rope, space.key, rows, spec.kv_heads, spec.head_size, position);
    }
    const int64_t row = chunk.tail.tokens() + begin;
    backend_.StoreKv(space.key, rows * spec.kv_size(), kv_type,
                     chunk.tail.mutable_key_row(layer, row));
    backend_.StoreKv(space.value, rows * spec.kv_size(), kv_type,
                     chunk.tail.mutable_value_row(layer, row));

    const int64_t skipped = std::clamp<int64_t>(first_query - begin, 0, rows);
    const int64_t query_rows = rows - skipped;
    if (query_rows == 0) continue;
    float* query = space.query + (begin + skipped) * spec.query_size();
    backend_.Multiply(weights.query, {space.normed + skipped * spec.hidden, spec.hidden},
                      query_rows, {query, spec.query_size()}, Accumulate::kOverwrite);
    if (!weights.query_norm.empty()) {
      backend_.RmsNorm({query, spec.head_size}, weights.query_norm, spec.norm_epsilon,
                       query_rows * spec.heads, {query, spec.head_size});
    }
    if (rope) {
      backend_.Rotate(spec.rope, query, query_rows, spec.heads, spec.head_size, position + skipped);
    }
  }
}

// The rows from `first_query` on, over every segment of the base and then over the tail with this
// chunk's own rows, merged as they come.
void Decoder::Attend(const Chunk& chunk, int64_t layer, int64_t first_query) {
  const DecoderSpec& spec = model_.spec;
  if (IsSparse(chunk, layer)) return AttendSparse(chunk, layer, first_query);
  const Stopwatch watch;
  const int64_t window = spec.layers[static_cast<size_t>(layer)].window;
  const int64_t position = chunk.first_position() + first_query;
  // The oldest key that the first query still sees.
  const int64_t oldest = window > 0 ? std::max<int64_t>(0, position - window + 1) : 0;

  AttentionCall call{};
  call.query = chunk.space.query + first_query * spec.query_size();
  call.rows = chunk.rows() - first_query;
  call.first_position = position;
  call.window = window;
  call.out = chunk.space.attention + first_query * spec.query_size();
  call.lse = chunk.space.log_sum_exp + first_query * spec.heads;
  call.cancel = &chunk.cancel;
  const auto attend = [&](const KvSegment& segment, int64_t tokens) {
    const int64_t skipped = std::clamp<int64_t>(oldest - segment.first_position(), 0, tokens);
    if (skipped == tokens) return;
    call.kv = {segment.key_row(layer, skipped), segment.value_row(layer, skipped),
               segment.layout().type, tokens - skipped, segment.first_position() + skipped};
    backend_.Attend(spec, call);
    chunk.CheckCancelled();
    call.merge = true;
  };
  for (const KvState::Part& part : chunk.base.parts()) attend(*part.segment, part.tokens);
  attend(chunk.tail, chunk.tail.tokens() + chunk.rows());
  if (observer_ && window == 0) {
    std::vector<KvRun> runs;
    observer_(layer, MakeSparseCall(chunk, layer, first_query, runs));
    chunk.CheckCancelled();
  }
  if (report_ == nullptr || window > 0) return;
  const double pairs =
      static_cast<double>(spec.heads) * index::CausalArea(call.first_position, call.rows);
  report_->dense_pairs += pairs;
  report_->kept_pairs += pairs;
  report_->attention_ms += watch.milliseconds();
}

// The last row's, from the log-sum-exp that Attend has left.
void Decoder::AddEvidence(const Chunk& chunk, int64_t layer) {
  const DecoderSpec& spec = model_.spec;
  if (spec.layers[static_cast<size_t>(layer)].window > 0) return;
  const std::vector<KvRun> runs = Runs(chunk, layer);
  MassCall call{};
  call.query = chunk.space.query + (chunk.rows() - 1) * spec.query_size();
  call.lse = chunk.space.log_sum_exp + (chunk.rows() - 1) * spec.heads;
  call.kv = runs;
  call.ends = evidence_->ends();
  call.mass = evidence_->row().data();
  call.cancel = &chunk.cancel;
  if (!backend_.AddMass(spec, call)) {
    evidence_ = nullptr;
    return;
  }
  chunk.CheckCancelled();
  evidence_->Add();
}

// K and V of everything up to the chunk's last row.
std::vector<KvRun> Decoder::Runs(const Chunk& chunk, int64_t layer) const {
  std::vector<KvRun> runs;
  const auto add = [&](const KvSegment& segment, int64_t tokens) {
    runs.push_back({segment.key_row(layer, 0), segment.value_row(layer, 0), segment.layout().type,
                    tokens, segment.first_position()});
  };
  for (const KvState::Part& part : chunk.base.parts()) add(*part.segment, part.tokens);
  add(chunk.tail, chunk.tail.tokens() + chunk.rows());
  return runs;
}

void Decoder::SetPrefill(const PrefillSettings& settings, PrefillReport& report) {
  settings_ = &settings;
  report_ = &report;
  if (settings.patterns == nullptr && settings.mode != PrefillMode::kDense) {
    default_patterns_ =
        std::make_unique<HeadPatterns>(model_.spec.layer_count(), model_.spec.heads);
  }
}

bool Decoder::IsSparse(const Chunk& chunk, int64_t layer) const {
  if (settings_ == nullptr || settings_->mode == PrefillMode::kDense) return false;
  if (model_.spec.layers[static_cast<size_t>(layer)].window > 0) return false;
  if (settings_->mode == PrefillMode::kSparse) return true;
  return SparsePays(chunk.first_position(), chunk.rows());
}

SparseCall Decoder::MakeSparseCall(const Chunk& chunk, int64_t layer, int64_t first_query,
                                   std::vector<KvRun>& runs) const {
  const DecoderSpec& spec = model_.spec;
  runs = Runs(chunk, layer);

  SparseCall call{};
  call.query = chunk.space.query + first_query * spec.query_size();
  call.rows = chunk.rows() - first_query;
  call.first_position = chunk.first_position() + first_query;
  call.kv = runs;
  call.out = chunk.space.attention + first_query * spec.query_size();
  call.lse = chunk.space.log_sum_exp + first_query * spec.heads;
  call.cancel = &chunk.cancel;
  return call;
}

void Decoder::AttendSparse(const Chunk& chunk, int64_t layer, int64_t first_query) {
  const HeadPatterns& patterns =
      settings_->patterns != nullptr ? *settings_->patterns : *default_patterns_;
  std::vector<KvRun> runs;
  SparseCall call = MakeSparseCall(chunk, layer, first_query, runs);
  call.patterns = patterns.layer(layer);
  call.recall_floor = settings_->recall_floor;
  backend_.AttendSparse(model_.spec, call, *report_);
  chunk.CheckCancelled();
}

// Output projection and MLP of the rows from `first_row` on, added to the residual stream.
void Decoder::FinishLayer(const Chunk& chunk, int64_t layer, int64_t first_row) {
  const DecoderSpec& spec = model_.spec;
  const LayerWeights& weights = model_.layers[static_cast<size_t>(layer)];
  Workspace& space = chunk.space;
  for (int64_t begin = first_row; begin < chunk.rows(); begin += kBlockRows) {
    chunk.CheckCancelled();
    const int64_t rows = std::min(kBlockRows, chunk.rows() - begin);
    float* residual = space.residual + begin * spec.hidden;
    const Rows normed{space.normed, spec.hidden};
    backend_.Multiply(weights.output,
                      {space.attention + begin * spec.query_size(), spec.query_size()}, rows,
                      {residual, spec.hidden}, Accumulate::kAdd);
    backend_.RmsNorm({residual, spec.hidden}, weights.mlp_norm, spec.norm_epsilon, rows, normed);
    backend_.Multiply(weights.gate, {normed.data, normed.stride}, rows,
                      {space.gate, spec.intermediate}, Accumulate::kOverwrite);
    backend_.Multiply(weights.up, {normed.data, normed.stride}, rows, {space.up, spec.intermediate},
                      Accumulate::kOverwrite);
    backend_.SwiGlu({space.gate, spec.intermediate}, {space.up, spec.intermediate}, rows,
                    spec.intermediate);
    backend_.Multiply(weights.down, {space.gate, spec.intermediate}, rows, {residual, spec.hidden},
                      Accumulate::kAdd);
  }
}

// logits[rows, vocabulary] of the chunk's rows from `first_row` on, at most kBlockRows.
void Decoder::ComputeLogits(const Chunk& chunk, int64_t first_row, int64_t rows, float* logits) {
  const DecoderSpec& spec = model_.spec;
  const Rows normed{chunk.space.normed, spec.hidden};
  backend_.RmsNorm({chunk.space.residual + first_row * spec.hidden, spec.hidden}, model_.final_norm,
                   spec.norm_epsilon, rows, normed);
  backend_.Multiply(model_.head, {normed.data, normed.stride}, rows, {logits, spec.vocabulary},
                    Accumulate::kOverwrite);
}

// Each row's output against the token that follows it.
void Decoder::Score(const Chunk& chunk) {
  if (settings_ == nullptr || settings_->score_from <= 0) return;
  const int64_t end =
      std::min(chunk.rows(), static_cast<int64_t>(chunk.rest.size()) - 1);  // the last has none
  const int64_t vocabulary = model_.spec.vocabulary;
  std::vector<float> logits(static_cast<size_t>(kScoredRows * vocabulary));
  for (int64_t begin = FirstOutput(chunk); begin < end; begin += kScoredRows) {
    chunk.CheckCancelled();
    const int64_t rows = std::min(kScoredRows, end - begin);
    ComputeLogits(chunk, begin, rows, logits.data());
    for (int64_t row = 0; row < rows; ++row) {
      const std::span<const float> of_row(logits.data() + row * vocabulary,
                                          static_cast<size_t>(vocabulary));
      report_->log_likelihood +=
          LogLikelihood(of_row, chunk.rest[static_cast<size_t>(begin + row + 1)]);
    }
    report_->scored_tokens += rows;
  }
}

}  // namespace longsight

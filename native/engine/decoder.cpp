#include "engine/decoder.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "engine/line_choice.h"
#include "index/area.h"
#include "index/select.h"

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
      static_cast<double>(rows) * static_cast<double>(index::FirstBudget(first_position + rows));
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

// From so many rows on a layer takes long enough to be waited for.
constexpr int64_t kPacedRows = 512;

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
  NextToken next;

  int64_t rows() const { return static_cast<int64_t>(tokens.size()); }
  int64_t first_position() const { return tail.first_position() + tail.tokens(); }
  void CheckCancelled() const {
    if (cancel.load(std::memory_order_relaxed)) throw Error(ErrorCode::kCancelled, "cancelled");
  }
};

void Decoder::Forward(const KvState& base, KvSegment& tail, std::span<const uint32_t> tokens,
                      Workspace& workspace, const std::atomic<bool>& cancel,
                      const ForwardProgress& progress, const NextToken& next) {
  try {
    ForwardChunks(base, tail, tokens, workspace, cancel, progress, next);
  } catch (...) {
    // What is under way uses memory that the caller is about to free, and belongs to no report.
    try {
      PrefillReport dropped;
      backend_.Collect(dropped);
    } catch (...) {  // the first failure is the one to tell
    }
    throw;
  }
  if (report_ != nullptr) backend_.Collect(*report_);
}

void Decoder::ForwardChunks(const KvState& base, KvSegment& tail, std::span<const uint32_t> tokens,
                            Workspace& workspace, const std::atomic<bool>& cancel,
                            const ForwardProgress& progress, const NextToken& next) {
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
                      last ? next : NextToken{}};
    ForwardChunk(chunk);
    backend_.Wait();  // what is committed is complete
    tail.Commit(rows);
    done += rows;
    progress(done);
  }
}

void Decoder::Step(const KvState& base, KvSegment& tail, uint32_t token, Workspace& workspace,
                   const std::atomic<bool>& cancel, const NextToken& next) {
  const ForwardProgress silent = [](int64_t) {};
  const std::span<const uint32_t> tokens(&token, 1);
  const Chunk chunk{base, tail, tokens, tokens, workspace, cancel, 0, silent, next};
  chunk.CheckCancelled();
  // What looks on at every step cannot be recorded.
  if (evidence_ != nullptr || observer_) {
    RunLayers(chunk);
  } else {
    backend_.RunStep(token, chunk.first_position(), [&] { RunLayers(chunk); });
  }
  ComputeNext(chunk);
  backend_.Wait();  // what is committed is complete
  tail.Commit(1);
}

void Decoder::ForwardChunk(const Chunk& chunk) {
  RunLayers(chunk);
  Score(chunk);
  if (chunk.next.wanted()) ComputeNext(chunk);
}

void Decoder::RunLayers(const Chunk& chunk) {
  const int64_t layers = model_.spec.layer_count();
  // Else a device would be far behind what is reported, and could not be cancelled: half a layer is
  // under way while the next half is asked for.
  const bool paced = chunk.rows() >= kPacedRows;
  Embed(chunk);
  for (int64_t layer = 0; layer < layers; ++layer) {
    // Nobody reads the last layer's output but for the rows that logits come from: of the others
    // only K and V live on.
    const bool last = layer + 1 == layers;
    const int64_t first_row = !last ? 0 : FirstOutput(chunk);
    Project(chunk, layer, first_row);
    if (first_row == chunk.rows()) return;
    Attend(chunk, layer, first_row);
    if (paced) backend_.Pace();
    if (evidence_ != nullptr && chunk.next.wanted()) AddEvidence(chunk, layer);
    FinishLayer(chunk, layer, first_row);
    const bool done = !paced || backend_.Pace();
    chunk.progress(chunk.done + chunk.rows() * (layer + (done ? 1 : 0)) / (layers + 1));
  }
}

int64_t Decoder::FirstOutput(const Chunk& chunk) const {
  const int64_t last = chunk.rows() - (chunk.next.wanted() ? 1 : 0);
  if (settings_ == nullptr || settings_->score_from <= 0) return last;
  return std::clamp<int64_t>(settings_->score_from - 1 - chunk.done, 0, last);
}

void Decoder::Embed(const Chunk& chunk) {
  for (int64_t begin = 0; begin < chunk.rows(); begin += chunk.space.block()) {
    chunk.CheckCancelled();
    const int64_t rows = std::min(chunk.space.block(), chunk.rows() - begin);
    backend_.Embed(model_.embedding, chunk.tokens.data() + begin, rows,
                   chunk.space.residual.From(begin));
  }
}

// K and V of all rows into the segment, and the queries of the rows from `first_query` on.
void Decoder::Project(const Chunk& chunk, int64_t layer, int64_t first_query) {
  const DecoderSpec& spec = model_.spec;
  const LayerWeights& weights = model_.layers[static_cast<size_t>(layer)];
  const bool rope = spec.layers[static_cast<size_t>(layer)].rope;
  Workspace& space = chunk.space;

  for (int64_t begin = 0; begin < chunk.rows(); begin += space.block()) {
    chunk.CheckCancelled();
    const int64_t rows = std::min(space.block(), chunk.rows() - begin);
    const int64_t position = chunk.first_position() + begin;
    backend_.RmsNorm(space.residual.From(begin), weights.attention_norm, spec.norm_epsilon, rows,
                     space.normed);

    const int64_t skipped = std::clamp<int64_t>(first_query - begin, 0, rows);
    const int64_t query_rows = rows - skipped;
    const Rows query = space.query.From(begin + skipped);
    const Backend::Product products[] = {
        {weights.key, space.key}, {weights.value, space.value}, {weights.query, query}};
    const bool together = skipped == 0;
    backend_.MultiplyAll(std::span(products).first(together ? 3 : 2), space.normed, rows);
    if (!weights.key_norm.empty()) {
      const Rows heads = space.key.InRowsOf(spec.head_size);
      backend_.RmsNorm(heads, weights.key_norm, spec.norm_epsilon, rows * spec.kv_heads, heads);
    }
    if (rope) {
      backend_.Rotate(spec.rope, space.key, rows, spec.kv_heads, spec.head_size, position);
    }
    const int64_t row = chunk.tail.tokens() + begin;
    KvSegment& tail = chunk.tail;
    backend_.StoreKv(tail.layout(), space.key, rows,
                     {tail.mutable_key_row(layer, row), tail.key_scales(layer, row)});
    backend_.StoreKv(tail.layout(), space.value, rows,
                     {tail.mutable_value_row(layer, row), tail.value_scales(layer, row)});

    if (query_rows == 0) continue;
    if (!together) {
      backend_.Multiply(weights.query, space.normed.From(skipped), query_rows, query,
                        Accumulate::kOverwrite);
    }
    if (!weights.query_norm.empty()) {
      const Rows heads = query.InRowsOf(spec.head_size);
      backend_.RmsNorm(heads, weights.query_norm, spec.norm_epsilon, query_rows * spec.heads,
                       heads);
    }
    if (rope) {
      backend_.Rotate(spec.rope, query, query_rows, spec.heads, spec.head_size, position + skipped);
    }
  }
}

// K and V of a layer from position `oldest` on: every segment of the base, then the tail with this
// chunk's own rows.
std::vector<KvRun> Decoder::Runs(const Chunk& chunk, int64_t layer, int64_t oldest) const {
  std::vector<KvRun> runs;
  const auto add = [&](const KvSegment& segment, int64_t tokens) {
    const int64_t skipped = std::clamp<int64_t>(oldest - segment.first_position(), 0, tokens);
    if (skipped == tokens) return;
    runs.push_back({segment.key_row(layer, skipped), segment.value_row(layer, skipped),
                    segment.key_scales(layer, skipped), segment.value_scales(layer, skipped),
                    segment.layout().type, tokens - skipped, segment.first_position() + skipped});
  };
  for (const KvState::Part& part : chunk.base.parts()) add(*part.segment, part.tokens);
  add(chunk.tail, chunk.tail.tokens() + chunk.rows());
  return runs;
}

// The rows from `first_query` on.
void Decoder::Attend(const Chunk& chunk, int64_t layer, int64_t first_query) {
  const DecoderSpec& spec = model_.spec;
  if (IsSparse(chunk, layer)) return AttendSparse(chunk, layer, first_query);
  const int64_t window = spec.layers[static_cast<size_t>(layer)].window;
  const int64_t position = chunk.first_position() + first_query;
  // The oldest key that the first query still sees.
  const int64_t oldest = window > 0 ? std::max<int64_t>(0, position - window + 1) : 0;
  const std::vector<KvRun> runs = Runs(chunk, layer, oldest);

  AttentionCall call{};
  call.query = chunk.space.query.From(first_query);
  call.rows = chunk.rows() - first_query;
  call.first_position = position;
  call.window = window;
  call.kv = runs;
  call.out = chunk.space.attention.From(first_query);
  call.lse = chunk.space.log_sum_exp + first_query * spec.heads;
  call.cancel = &chunk.cancel;
  const bool reported = report_ != nullptr && window == 0;
  if (reported) backend_.Mark(Phase::kAttention);
  backend_.Attend(spec, call);
  if (reported) backend_.Mark(Phase::kOther);
  chunk.CheckCancelled();
  if (observer_ && window == 0) {
    std::vector<KvRun> all;
    observer_(layer, MakeSparseCall(chunk, layer, first_query, all));
    chunk.CheckCancelled();
  }
  if (!reported) return;
  const double pairs =
      static_cast<double>(spec.heads) * index::CausalArea(call.first_position, call.rows);
  report_->dense_pairs += pairs;
  report_->kept_pairs += pairs;
}

// The last row's, from the log-sum-exp that Attend has left.
void Decoder::AddEvidence(const Chunk& chunk, int64_t layer) {
  const DecoderSpec& spec = model_.spec;
  if (spec.layers[static_cast<size_t>(layer)].window > 0) return;
  const std::vector<KvRun> runs = Runs(chunk, layer, 0);
  MassCall call{};
  call.query = chunk.space.query.From(chunk.rows() - 1);
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
  runs = Runs(chunk, layer, 0);
  SparseCall call{};
  call.query = chunk.space.query.From(first_query);
  call.rows = chunk.rows() - first_query;
  call.first_position = chunk.first_position() + first_query;
  call.kv = runs;
  call.out = chunk.space.attention.From(first_query);
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
  backend_.AttendSparse(model_.spec, call);
  chunk.CheckCancelled();
}

// Output projection and MLP of the rows from `first_row` on, added to the residual stream.
void Decoder::FinishLayer(const Chunk& chunk, int64_t layer, int64_t first_row) {
  const DecoderSpec& spec = model_.spec;
  const LayerWeights& weights = model_.layers[static_cast<size_t>(layer)];
  Workspace& space = chunk.space;
  for (int64_t begin = first_row; begin < chunk.rows(); begin += space.block()) {
    chunk.CheckCancelled();
    const int64_t rows = std::min(space.block(), chunk.rows() - begin);
    const Rows residual = space.residual.From(begin);
    backend_.Multiply(weights.output, space.attention.From(begin), rows, residual,
                      Accumulate::kAdd);
    backend_.RmsNorm(residual, weights.mlp_norm, spec.norm_epsilon, rows, space.normed);
    const Backend::Product products[] = {{weights.gate, space.gate}, {weights.up, space.up}};
    backend_.MultiplyAll(products, space.normed, rows);
    backend_.SwiGlu(space.gate, space.up, rows, spec.intermediate);
    backend_.Multiply(weights.down, space.gate, rows, residual, Accumulate::kAdd);
  }
}

// logits[rows, vocabulary] of the chunk's rows from `first_row` on, at most the rows of a block.
void Decoder::ComputeLogits(const Chunk& chunk, int64_t first_row, int64_t rows, float* logits) {
  const Workspace& space = chunk.space;
  backend_.RmsNorm(space.residual.From(first_row), model_.final_norm, model_.spec.norm_epsilon,
                   rows, space.normed);
  backend_.Logits(model_.head, space.normed, rows, logits);
}

// From the last row.
void Decoder::ComputeNext(const Chunk& chunk) {
  const int64_t row = chunk.rows() - 1;
  if (chunk.next.logits != nullptr) ComputeLogits(chunk, row, 1, chunk.next.logits);
  if (chunk.next.token == nullptr) return;
  backend_.RmsNorm(chunk.space.residual.From(row), model_.final_norm, model_.spec.norm_epsilon, 1,
                   chunk.space.normed);
  *chunk.next.token = backend_.Sample(model_.head, chunk.space.normed, chunk.next.draw);
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

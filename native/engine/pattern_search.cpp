#include "engine/pattern_search.h"

#include <algorithm>
#include <cmath>

#include "engine/checked_math.h"
#include "engine/dtype.h"
#include "engine/error.h"

namespace longsight {
namespace {

// The output of a chunk's attention, then its log-sum-exps: where the latter begin.
int64_t OutputBytes(const DecoderSpec& spec, const Backend& backend, int64_t rows) {
  constexpr int64_t kAlignment = 256;
  return RoundUp(rows * spec.query_size() * DTypeBytes(backend.activation_type()), kAlignment);
}

void RequirePositive(int64_t value, const char* name) {
  if (value < 1) {
    throw Error(ErrorCode::kInvalidArgument, std::string(name) + " must be at least 1");
  }
}

}  // namespace

PatternSearch::PatternSearch(const DecoderSpec& spec, Backend& backend, const PatternTrial& trial,
                             int64_t tokens, int64_t chunk_tokens)
    : spec_(spec),
      backend_(backend),
      trial_(trial),
      chunk_tokens_(chunk_tokens),
      chunks_(index::DivideUp(tokens, chunk_tokens)),
      outcomes_(static_cast<size_t>(spec.heads)),
      squares_(static_cast<size_t>(2 * spec.heads)) {
  RequirePositive(trial.budget_keys, "budgetKeys");
  RequirePositive(trial.sampled_chunks, "sampledChunks");
  RequirePositive(trial.repeats, "repeats");
  RequirePositive(static_cast<int64_t>(trial.candidates.size()), "the number of candidates");
  scores_.candidates.resize(trial.candidates.size());
  const int64_t rows = std::min(tokens, chunk_tokens);
  memory_ = backend.Allocate(Bytes(spec, backend, rows), "the output of tried patterns");
  out_ = {memory_.get(), backend.activation_type(), spec.query_size()};
  lse_ = reinterpret_cast<float*>(memory_.get() + OutputBytes(spec, backend, rows));
}

int64_t PatternSearch::Bytes(const DecoderSpec& spec, const Backend& backend, int64_t rows) {
  return OutputBytes(spec, backend, rows) + rows * spec.heads * static_cast<int64_t>(sizeof(float));
}

// Chunk n of `chunks_` when it is the last one of one of `sampled_chunks` equal parts.
bool PatternSearch::IsSampled(int64_t first_position) const {
  const int64_t parts = std::min(trial_.sampled_chunks, chunks_);
  const int64_t chunk = first_position / chunk_tokens_;
  return (chunk + 1) * parts / chunks_ > chunk * parts / chunks_;
}

void PatternSearch::Observe(int64_t layer, const SparseCall& dense) {
  if (!IsSampled(dense.first_position)) return;
  const bool is_first = scores_.layers.empty();
  if (is_first || scores_.layers.back() < layer) {
    // The first chunk that is looked at passes all layers before the next one comes.
    scores_.layers.push_back(layer);
    for (CandidateScore& candidate : scores_.candidates) {
      candidate.heads.resize(candidate.heads.size() + static_cast<size_t>(spec_.heads));
    }
  }
  const auto place = std::ranges::find(scores_.layers, layer) - scores_.layers.begin();
  if (place == 0) {
    ++scores_.chunks;
    scores_.rows += dense.rows;
  }
  const size_t candidates = trial_.candidates.size();
  std::vector<double> attention_ms(candidates), index_ms(candidates);
  // What a device does when it computes something for the first time is no candidate's cost.
  for (size_t candidate = 0; is_first && candidate < candidates; ++candidate) {
    Attend(dense, trial_.candidates[candidate], layer);
    if (dense.cancel->load(std::memory_order_relaxed)) return;
  }
  // One round after the other: what disturbs the machine for a while disturbs all candidates.
  for (int64_t round = 0; round < trial_.repeats; ++round) {
    for (size_t candidate = 0; candidate < candidates; ++candidate) {
      const PrefillReport report = Attend(dense, trial_.candidates[candidate], layer);
      if (dense.cancel->load(std::memory_order_relaxed)) return;
      const auto keep_least = [&](double& least, double ms) {
        least = round == 0 ? ms : std::min(least, ms);
      };
      keep_least(attention_ms[candidate], report.attention_ms);
      keep_least(index_ms[candidate], report.index_ms);
      if (round > 0) continue;
      const size_t first_head = static_cast<size_t>(place * spec_.heads);
      Compare(&scores_.candidates[candidate], first_head, dense);
    }
  }
  for (size_t candidate = 0; candidate < candidates; ++candidate) {
    scores_.candidates[candidate].attention_ms += attention_ms[candidate];
    scores_.candidates[candidate].index_ms += index_ms[candidate];
  }
}

// Into out_, lse_ and outcomes_.
PrefillReport PatternSearch::Attend(SparseCall call, const HeadPatterns& candidate, int64_t layer) {
  call.patterns = candidate.layer(layer);
  call.recall_floor = 0;
  call.area = {trial_.budget_keys, true};
  call.outcomes = outcomes_.data();
  call.out = out_;
  call.lse = lse_;
  PrefillReport report;
  backend_.AttendSparse(spec_, call);
  backend_.Collect(report);
  return report;
}

void PatternSearch::Compare(CandidateScore* score, size_t first_head, const SparseCall& dense) {
  backend_.CompareHeads(dense.out, out_, dense.rows, spec_.heads, spec_.head_size, squares_.data());
  for (size_t head = 0; head < outcomes_.size(); ++head) {
    const double whole = squares_[2 * head], missed = squares_[2 * head + 1];
    HeadScore& sums = score->heads[first_head + head];
    if (whole > 0) sums.error += std::sqrt(missed / whole);
    sums.recall += outcomes_[head].recall;
    score->pairs += outcomes_[head].pairs;
    sums.keys += outcomes_[head].pairs / static_cast<double>(dense.rows);
  }
}

PatternScores PatternSearch::Finish() {
  const auto chunks = static_cast<double>(std::max<int64_t>(1, scores_.chunks));
  for (CandidateScore& candidate : scores_.candidates) {
    for (HeadScore& head : candidate.heads) {
      head.error /= chunks;
      head.recall /= chunks;
      head.keys /= chunks;
    }
  }
  return std::move(scores_);
}

}  // namespace longsight

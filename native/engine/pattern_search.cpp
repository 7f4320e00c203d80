#include "engine/pattern_search.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace longsight {
namespace {

// sums[heads] of squares: of `actual` - `expected`, or of `expected` alone where `actual` is null.
// Both are [rows, heads, head_size].
std::vector<double> SquareSums(const DecoderSpec& spec, int64_t rows, const float* actual,
                               const float* expected) {
  std::vector<double> sums(static_cast<size_t>(spec.heads));
  int64_t at = 0;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t head = 0; head < spec.heads; ++head) {
      double sum = 0;
      for (int64_t i = 0; i < spec.head_size; ++i, ++at) {
        const double value = static_cast<double>(expected[at]) -
                             (actual == nullptr ? 0.0 : static_cast<double>(actual[at]));
        sum += value * value;
      }
      sums[static_cast<size_t>(head)] += sum;
    }
  }
  return sums;
}

const float* Floats(const Rows& rows) { return static_cast<const float*>(rows.data); }

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
      outcomes_(static_cast<size_t>(spec.heads)) {
  if (backend.activation_type() != DType::kF32) {
    throw Error(ErrorCode::kInvalidArgument,
                "patterns are searched for on the CPU, not on device \"" + backend.device() + "\"");
  }
  RequirePositive(trial.budget_keys, "budgetKeys");
  RequirePositive(trial.sampled_chunks, "sampledChunks");
  RequirePositive(trial.repeats, "repeats");
  RequirePositive(static_cast<int64_t>(trial.candidates.size()), "the number of candidates");
  scores_.candidates.resize(trial.candidates.size());
  const int64_t rows = std::min(tokens, chunk_tokens);
  out_.resize(static_cast<size_t>(rows * spec.query_size()));
  lse_.resize(static_cast<size_t>(rows * spec.heads));
}

int64_t PatternSearch::Bytes(const DecoderSpec& spec, int64_t chunk_tokens) {
  return chunk_tokens * (spec.query_size() + spec.heads) * static_cast<int64_t>(sizeof(float));
}

// Chunk n of `chunks_` when it is the last one of one of `sampled_chunks` equal parts.
bool PatternSearch::IsSampled(int64_t first_position) const {
  const int64_t parts = std::min(trial_.sampled_chunks, chunks_);
  const int64_t chunk = first_position / chunk_tokens_;
  return (chunk + 1) * parts / chunks_ > chunk * parts / chunks_;
}

void PatternSearch::Observe(int64_t layer, const SparseCall& dense) {
  if (!IsSampled(dense.first_position)) return;
  if (scores_.layers.empty() || scores_.layers.back() < layer) {
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
  const std::vector<double> whole = SquareSums(spec_, dense.rows, nullptr, Floats(dense.out));
  // One round after the other: what disturbs the machine for a while disturbs all candidates.
  for (int64_t round = 0; round < trial_.repeats; ++round) {
    for (size_t candidate = 0; candidate < candidates; ++candidate) {
      SparseCall call = dense;
      call.patterns = trial_.candidates[candidate].layer(layer);
      const PrefillReport report = Attend(call);
      if (call.cancel->load(std::memory_order_relaxed)) return;
      const auto keep_least = [&](double& least, double ms) {
        least = round == 0 ? ms : std::min(least, ms);
      };
      keep_least(attention_ms[candidate], report.attention_ms);
      keep_least(index_ms[candidate], report.index_ms);
      if (round > 0) continue;
      const size_t first_head = static_cast<size_t>(place * spec_.heads);
      Compare(&scores_.candidates[candidate], first_head, dense, whole);
    }
  }
  for (size_t candidate = 0; candidate < candidates; ++candidate) {
    scores_.candidates[candidate].attention_ms += attention_ms[candidate];
    scores_.candidates[candidate].index_ms += index_ms[candidate];
  }
}

// Into out_, lse_ and outcomes_.
PrefillReport PatternSearch::Attend(SparseCall call) {
  call.recall_floor = 0;
  call.area = {trial_.budget_keys, true};
  call.outcomes = outcomes_.data();
  call.out = {out_.data(), DType::kF32, spec_.query_size()};
  call.lse = lse_.data();
  PrefillReport report;
  backend_.AttendSparse(spec_, call);
  backend_.Collect(report);
  return report;
}

void PatternSearch::Compare(CandidateScore* score, size_t first_head, const SparseCall& dense,
                            const std::vector<double>& whole) {
  const std::vector<double> missed = SquareSums(spec_, dense.rows, out_.data(), Floats(dense.out));
  for (size_t head = 0; head < missed.size(); ++head) {
    HeadScore& sums = score->heads[first_head + head];
    if (whole[head] > 0) sums.error += std::sqrt(missed[head] / whole[head]);
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

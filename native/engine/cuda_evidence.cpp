#include "engine/cuda_evidence.h"

#include <algorithm>
#include <utility>

#include "engine/checked_math.h"
#include "engine/cuda_convert.h"

namespace longsight {

void CudaEvidence::Add(const DecoderSpec& spec, const MassCall& call) {
  memory_.Use();
  if (call.ends.empty()) return;
  const std::vector<cuda::CachedRun> runs = KernelRuns(spec, call.kv);
  std::vector<int64_t> run_ends;
  // No further than the spans: the last run grows with every token behind them.
  for (const cuda::CachedRun& run : runs) {
    run_ends.push_back(std::min(run.first_position + run.tokens, call.ends.back()));
  }
  const bool known = std::ranges::equal(call.ends, ends_) && run_ends == run_ends_;
  if (!known) pieces_ = cuda::MassPieces(call.ends, run_ends);
  const auto pieces = static_cast<int64_t>(pieces_.pieces.size());
  const auto spans = static_cast<int64_t>(call.ends.size());
  const int64_t piece_bytes = pieces * static_cast<int64_t>(sizeof(cuda::MassPiece));
  const int64_t floats_at = RoundUp(piece_bytes + (spans + 1) * 4, 16);
  const int64_t bytes = floats_at + spec.heads * (pieces + spans) * 4;
  if (bytes > bytes_) {
    Check(cudaStreamSynchronize(stream_), "computing");
    ends_.clear();  // what was there is gone
    memory_.Drop(storage_, std::exchange(bytes_, 0));
    storage_ = memory_.Hold(bytes, "the evidence's spans");
    bytes_ = bytes;
  }
  std::byte* const base = storage_.get();
  if (!known) {
    constexpr const char* kDoing = "copying the evidence's spans";
    Check(cudaMemcpyAsync(base, pieces_.pieces.data(), static_cast<size_t>(piece_bytes),
                          cudaMemcpyHostToDevice, stream_),
          kDoing);
    Check(cudaMemcpyAsync(base + piece_bytes, pieces_.first_of_span.data(),
                          static_cast<size_t>(spans + 1) * 4, cudaMemcpyHostToDevice, stream_),
          kDoing);
    ends_.assign(call.ends.begin(), call.ends.end());
    run_ends_ = std::move(run_ends);
  }
  cuda::AttentionMassParams p{};
  p.q = call.query.data;
  p.lse = call.lse;
  p.heads = spec.heads;
  p.kv_heads = spec.kv_heads;
  p.head_size = spec.head_size;
  p.scale = static_cast<float>(spec.attention_scale);
  p.runs = runs.data();
  p.run_count = static_cast<int64_t>(runs.size());
  p.kv_type = KernelType(call.kv[0].type);
  p.pieces = reinterpret_cast<const cuda::MassPiece*>(base);
  p.piece_count = pieces;
  p.host_pieces = pieces_.pieces.data();
  p.first_of_span = reinterpret_cast<const int32_t*>(base + piece_bytes);
  p.spans = spans;
  p.partial = reinterpret_cast<float*>(base + floats_at);
  p.mass = p.partial + spec.heads * pieces;
  p.stream = stream_;
  Check(cuda::AttentionMass(p), "summing attention");
  std::vector<float> mass(static_cast<size_t>(spec.heads * spans));
  Check(cudaMemcpyAsync(mass.data(), p.mass, mass.size() * sizeof(float), cudaMemcpyDeviceToHost,
                        stream_),
        "copying sums of attention");
  Check(cudaStreamSynchronize(stream_), "computing");
  for (size_t i = 0; i < mass.size(); ++i) call.mass[i] += mass[i];
}

}  // namespace longsight

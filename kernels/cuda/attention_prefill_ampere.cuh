// Prefill attention for GPUs without warpgroup products (sm_80 and later): mma.sync, rows copied
// one by one with cp.async. A CTA takes one row block of 128, 16 rows to a warp; warp 0 lists the
// keys of the tiles to come. The plain path: correct everywhere, tuned nowhere.
#pragma once

#include "attention_stream.cuh"
#include "mma.cuh"

namespace longsight::cuda {

template <int kHeadSize>
struct AmpereShape {
  static constexpr int kThreads = 256;
  static constexpr int kKeys = 64;
  static constexpr int kPanels = (kHeadSize + 63) / 64;
  static constexpr int kTileBytes = kPanels * kKeys * kPanelRowBytes;
  static constexpr int kQBytes = kPanels * kBlockRows * kPanelRowBytes;
  // Two stages of K and V; the queries pass through the same place first.
  static constexpr int kListsAt = 4 * kTileBytes;
  static constexpr int kBytes = kListsAt + kRingKeys * 4;
  static_assert(kQBytes <= kListsAt);
};

template <int kHeadSize, bool kSparse>
class AmpereBlock {
  using S = AmpereShape<kHeadSize>;
  static constexpr int kChunks = kHeadSize / 8;

 public:
  __device__ AmpereBlock(const PrefillArguments& p, unsigned char* memory, int32_t head,
                         int32_t row_block)
      : p_(p),
        memory_(memory),
        head_(head),
        first_(row_block * kBlockRows),
        warp_(threadIdx.x / 32),
        lane_(threadIdx.x % 32) {}

  __device__ void Run() {
    LoadQueries();
    if constexpr (kSparse) {
      RunListed();
    } else {
      const KeySpan span = SeenKeys(p_.first_row + first_, Rows(), p_.window, p_.tokens);
      const int tiles = TileCount(span, S::kKeys);
      const auto begin_of = [&](int tile) { return TileBegin(span, S::kKeys, tile); };
      if (tiles > 0) LoadTile(0, begin_of(0), nullptr);
      CommitCopies();
      for (int tile = 0; tile < tiles; ++tile) {
        if (tile + 1 < tiles) LoadTile((tile + 1) % 2, begin_of(tile + 1), nullptr);
        CommitCopies();
        WaitForCopies<1>();
        __syncthreads();
        const int64_t row = p_.first_row + first_;
        const int32_t begin = begin_of(tile);
        const bool masked = begin < span.begin || begin + S::kKeys - 1 > row ||
                            (p_.window > 0 && begin <= row + kBlockRows - 1 - p_.window);
        Attend(tile % 2, masked, begin, span, p_.window, -1);
        __syncthreads();
      }
    }
    Store();
  }

 private:
  __device__ int64_t Rows() const { return Least(kBlockRows, p_.rows - first_); }
  __device__ unsigned char* K(int stage) { return memory_ + stage * 2 * S::kTileBytes; }
  __device__ unsigned char* V(int stage) { return K(stage) + S::kTileBytes; }

  __device__ void LoadQueries() {
    for (int i = threadIdx.x; i < kBlockRows * kChunks; i += S::kThreads) {
      const int row = i / kChunks, chunk = i % kChunks;
      const bool inside = first_ + row < p_.rows;
      const __nv_bfloat16* from = p_.q + (inside ? first_ + row : 0) * p_.q_row_stride +
                                  head_ * p_.q_head_stride + chunk * 8;
      CopyAsync16(memory_ + SwizzledOffset(row, chunk, kBlockRows), from, inside);
    }
    CommitCopies();
    WaitForCopies<0>();
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kHeadSize / 16; ++i) {
      const int row = warp_ * 16 + lane_ % 16, chunk = 2 * i + lane_ / 16;
      LoadMatrices(q_[i], memory_ + SwizzledOffset(row, chunk, kBlockRows));
    }
    __syncthreads();
  }

  // Keys begin.. of the run, or `keys`.
  __device__ void LoadTile(int stage, int32_t begin, const volatile int32_t* keys) {
    const int64_t head = head_ / p_.group * p_.kv_head_stride;
    for (int i = threadIdx.x; i < S::kKeys * kChunks; i += S::kThreads) {
      const int row = i / kChunks, chunk = i % kChunks;
      const int32_t key = keys != nullptr ? keys[row] : begin + row;
      const bool inside = key >= 0 && key < p_.tokens;
      const int64_t from = (inside ? key : 0) * p_.kv_row_stride + head + chunk * 8;
      const int at = SwizzledOffset(row, chunk, S::kKeys);
      CopyAsync16(K(stage) + at, p_.k + from, inside);
      CopyAsync16(V(stage) + at, p_.v + from, inside);
    }
  }

  __device__ void RunListed() {
    auto* ring = reinterpret_cast<volatile int32_t*>(memory_ + S::kListsAt);
    __shared__ int32_t listed;
    const CoverOfHead of_head = CoverOf(p_, head_, first_ / kBlockRows, first_);
    const auto own = static_cast<int32_t>(p_.first_row) + first_;
    // The row block's own keys.
    for (int half = 0; half < 2; ++half) {
      const int32_t begin = own + half * S::kKeys;
      if (begin + S::kKeys <= 0 || begin >= p_.tokens) continue;
      LoadTile(0, begin, nullptr);
      CommitCopies();
      WaitForCopies<0>();
      __syncthreads();
      Attend(0, true, begin, {0, p_.tokens}, 0, -1);
      __syncthreads();
    }
    CoverStream stream(p_, of_head.cover, of_head.rows, of_head.blocks, ring, 0);
    // Two tiles ahead at most: as far as the ring goes.
    const auto list = [&](int32_t wanted) {
      if (warp_ == 0) {
        const int32_t count = stream.FillTo(wanted);
        if (lane_ == 0) listed = count;
      }
      __syncthreads();
      const int32_t count = listed;
      __syncthreads();
      return count;
    };
    int32_t count = list(S::kKeys);
    if (count > 0) LoadTile(0, 0, ring);
    CommitCopies();
    for (int32_t begin = 0; begin < count; begin += S::kKeys) {
      const int stage = begin / S::kKeys % 2;
      const int32_t of_tile = Lesser(S::kKeys, count - begin);
      if (of_tile == S::kKeys) {
        count = list(begin + 2 * S::kKeys);
        if (count > begin + S::kKeys) {
          LoadTile(stage ^ 1, 0, ring + ((begin + S::kKeys) & (kRingKeys - 1)));
        }
      }
      CommitCopies();
      WaitForCopies<1>();
      __syncthreads();
      Attend(stage, of_tile < S::kKeys, 0, {}, 0, of_tile);
      __syncthreads();
    }
  }

  // The tile in `stage`. masked: by position from `begin` on, or, for count >= 0, by number.
  __device__ void Attend(int stage, bool masked, int32_t begin, KeySpan run, int64_t window,
                         int32_t count) {
    float scores[S::kKeys / 8][4];
#pragma unroll
    for (int n = 0; n < S::kKeys / 8; ++n) {
      for (float& score : scores[n]) score = 0.0f;
    }
#pragma unroll
    for (int i = 0; i < kHeadSize / 16; ++i) {
#pragma unroll
      for (int n = 0; n < S::kKeys / 8; n += 2) {
        uint32_t k[4];
        const int row = n * 8 + lane_ / 16 * 8 + lane_ % 8, chunk = 2 * i + lane_ / 8 % 2;
        LoadMatrices(k, K(stage) + SwizzledOffset(row, chunk, S::kKeys));
        MultiplyBf16(scores[n], q_[i], k[0], k[1]);
        MultiplyBf16(scores[n + 1], q_[i], k[2], k[3]);
      }
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      if (masked) {
        const int64_t row = p_.first_row + first_ + warp_ * 16 + lane_ / 4 + 8 * r;
        const TileMask mask =
            count >= 0 ? TileMask{0, count - 1} : MaskOfRow(begin, row, window, run);
#pragma unroll
        for (int n = 0; n < S::kKeys / 8; ++n) {
          for (int i = 0; i < 2; ++i) {
            const int key = n * 8 + lane_ % 4 * 2 + i;
            if (key < mask.low || key > mask.high) scores[n][2 * r + i] = -INFINITY;
          }
        }
      }
      float top = top_[r];
#pragma unroll
      for (int n = 0; n < S::kKeys / 8; ++n) {
        top = fmaxf(top, fmaxf(scores[n][2 * r], scores[n][2 * r + 1]));
      }
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
      const float finite = top == -INFINITY ? 0.0f : top;
      const float base = finite * p_.scale2;
      // Of the difference: exactly 1 while the top stays.
      const float shrink = exp2f((top_[r] - finite) * p_.scale2);
      top_[r] = top;
      sum_[r] *= shrink;
#pragma unroll
      for (int n = 0; n < S::kKeys / 8; ++n) {
        for (int i = 0; i < 2; ++i) {
          scores[n][2 * r + i] = exp2f(scores[n][2 * r + i] * p_.scale2 - base);
          sum_[r] += scores[n][2 * r + i];
        }
      }
#pragma unroll
      for (int c = 0; c < kChunks; ++c) {
        out_[c][2 * r] *= shrink;
        out_[c][2 * r + 1] *= shrink;
      }
    }
#pragma unroll
    for (int i = 0; i < S::kKeys / 16; ++i) {
      const uint32_t weights[4] = {PackPair(scores[2 * i][0], scores[2 * i][1]),
                                   PackPair(scores[2 * i][2], scores[2 * i][3]),
                                   PackPair(scores[2 * i + 1][0], scores[2 * i + 1][1]),
                                   PackPair(scores[2 * i + 1][2], scores[2 * i + 1][3])};
#pragma unroll
      for (int c = 0; c < kChunks; c += 2) {
        uint32_t v[4];
        const int row = i * 16 + lane_ % 16, chunk = c + lane_ / 16;
        LoadMatricesTransposed(v, V(stage) + SwizzledOffset(row, chunk, S::kKeys));
        MultiplyBf16(out_[c], weights, v[0], v[1]);
        MultiplyBf16(out_[c + 1], weights, v[2], v[3]);
      }
    }
  }

  static __device__ uint32_t PackPair(float low, float high) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&pair);
  }

  __device__ void Store() {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float sum = sum_[r];
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      const int64_t row = first_ + warp_ * 16 + lane_ / 4 + 8 * r;
      const bool inside = row < p_.rows;
      const RowShares shares = SharesOf(p_, row, head_, inside, top_[r], sum);
      if (!inside) continue;
      if (lane_ % 4 == 0) p_.lse[row * p_.heads + head_] = shares.lse;
      __nv_bfloat16* to = p_.out + row * p_.out_row_stride + head_ * p_.out_head_stride;
#pragma unroll
      for (int c = 0; c < kChunks; ++c) {
        auto* pair = reinterpret_cast<__nv_bfloat162*>(to + c * 8 + lane_ % 4 * 2);
        float low = out_[c][2 * r] * shares.mine, high = out_[c][2 * r + 1] * shares.mine;
        if (shares.old > 0.0f) {
          const float2 old = __bfloat1622float2(*pair);
          low += shares.old * old.x;
          high += shares.old * old.y;
        }
        *pair = __floats2bfloat162_rn(low, high);
      }
    }
  }

  const PrefillArguments& p_;
  unsigned char* const memory_;
  const int32_t head_, first_;
  const int warp_, lane_;
  uint32_t q_[kHeadSize / 16][4];
  float out_[kChunks][4] = {};
  float top_[2] = {-INFINITY, -INFINITY}, sum_[2] = {};
};

template <int kHeadSize, bool kSparse>
__global__ void __launch_bounds__(AmpereShape<kHeadSize>::kThreads)
    AmpereKernel(const __grid_constant__ PrefillArguments p) {
  extern __shared__ __align__(128) unsigned char memory[];
  const auto number = static_cast<int32_t>(blockIdx.x);
  const Task task =
      kSparse ? SparseTask(number, p.row_blocks) : DenseTask(number, p.row_blocks, p.group);
  const int32_t head = kSparse ? p.lines.order[task.head] : task.head;
  AmpereBlock<kHeadSize, kSparse>(p, memory, head, task.row_block).Run();
}

}  // namespace longsight::cuda

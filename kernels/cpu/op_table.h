// One instruction set's operations as a table.
#pragma once

#include "attention.h"
#include "attention_mass.h"
#include "attention_probe.h"
#include "attention_sparse.h"
#include "compare_heads.h"
#include "convert.h"
#include "matmul.h"
#include "ops.h"
#include "rms_norm.h"
#include "rope.h"
#include "swiglu.h"

namespace longsight::cpu {

template <class S, class PairDot>
constexpr OpTable MakeOpTable(const char* name) {
  return {.name = name,
          .matmul = MatmulFor<S, PairDot>,
          .rms_norm = RmsNormFor<S>,
          .rope = RopeFor<S>,
          .swiglu = SwiGluFor<S>,
          .attention = AttentionFor<S, PairDot>,
          .sparse_attention = SparseAttentionFor<S, PairDot>,
          .key_means = KeyMeansFor<S>,
          .probe = ProbeFor<S, PairDot>,
          .attention_mass = AttentionMassFor<S>,
          .compare_heads = CompareHeadsFor<S>,
          .convert = ConvertFor<S>,
          .embed = EmbedFor<S>};
}

}  // namespace longsight::cpu

// How dense prefill attention loads.
#pragma once

#include "attention_pipeline.cuh"

namespace longsight::cuda {

// One thread: every tile by the copy engine.
template <class C>
__device__ void LoadDense(const Pipeline<C>& pipe, const PrefillArguments& p) {
  TaskDrawer<C> drawer;
  TaskReader<C, true> reader;
  RingPlace<C::kStages> k_place, v_place;
  uint32_t q_parity = 0;
  drawer.Draw(pipe, p);
  const auto load = [&](const CUtensorMap& map, uint32_t to, uint32_t full, int32_t key,
                        int32_t head) {
    BarrierArriveExpect(full, C::kPlan.tile_bytes);
#pragma unroll
    for (int panel = 0; panel < C::kPanels; ++panel) {
      CopyBox(to + panel * C::kKeys * kPanelRowBytes, &map, full, panel * kPanelElements, key,
              head);
    }
  };
  for (;;) {
    const int32_t number = reader.Next(pipe);
    if (number < 0) return;
    drawer.Draw(pipe, p);
    const Task task = DenseTask(number, p.row_blocks, p.group);
    const int32_t kv_head = task.head / p.group, first = task.row_block * kBlockRows;
    const int64_t rows = Least(kBlockRows, p.rows - first);
    const KeySpan span = SeenKeys(p.first_row + first, rows, p.window, p.tokens);
    const int tiles = TileCount(span, C::kKeys);
    const auto load_k = [&](int tile) {
      BarrierWait(pipe.KEmpty(k_place.slot()), k_place.parity() ^ 1);
      load(p.k_map, pipe.K(k_place.slot()), pipe.KFull(k_place.slot()),
           TileBegin(span, C::kKeys, tile), kv_head);
      k_place.Advance();
    };
    // The first keys before the queries: their slot is free earlier.
    if (tiles > 0) load_k(0);
    BarrierWait(pipe.QEmpty(), q_parity ^ 1);
    q_parity ^= 1;
    BarrierArriveExpect(pipe.QFull(), C::kPanels * kBlockRows * kPanelRowBytes);
#pragma unroll
    for (int panel = 0; panel < C::kPanels; ++panel) {
      CopyBox(pipe.Q() + panel * kBlockRows * kPanelRowBytes, &p.q_map, pipe.QFull(),
              panel * kPanelElements, first, task.head);
    }
    for (int tile = 0; tile < tiles; ++tile) {
      if (tile + 1 < tiles) load_k(tile + 1);
      BarrierWait(pipe.VEmpty(v_place.slot()), v_place.parity() ^ 1);
      load(p.v_map, pipe.V(v_place.slot()), pipe.VFull(v_place.slot()),
           TileBegin(span, C::kKeys, tile), kv_head);
      v_place.Advance();
    }
  }
}

}  // namespace longsight::cuda

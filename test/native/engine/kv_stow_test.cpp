// KV that is put aside into the machine's memory and comes back: the same bytes, the same answers,
// and no more memory than was allowed.
#include "engine/kv_stow.h"

#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "engine/engine.h"
#include "model_folder.h"

namespace longsight::test {
namespace {

const std::atomic<bool> kNever{false};
const ForwardProgress kSilent = [](int64_t) {};
constexpr int64_t kPlenty = int64_t{1} << 40;

const reference::Config kConfig = SmallConfig(4);

class KvStowTest {
 public:
  KvStowTest() {
    WriteLlama(folder_, kConfig);
    engine_ = Engine::Load(folder_.path(), {.device = "cpu", .threads = 2});
    for (uint32_t i = 0; i < 300; ++i) tokens_.push_back(i * 37 % 200);
  }

  // Two segments, the second one seen in part: what is not seen is not kept.
  void ComesBackTheSame() {
    const std::span<const uint32_t> all = tokens_;
    std::vector<float> expected;
    StowedKv stowed;
    {
      const KvState first = engine_->Prefill({}, all.first(100), 64, kNever, kSilent);
      const KvState state =
          engine_->Prefill(first, all.subspan(100), 64, kNever, kSilent).View(250);
      expected = Next(state);
      stowed = engine_->kv_store().Stow(state, kPlenty);
      CHECK(stowed.token_count() == 250 && stowed.type() == DType::kBF16);
    }
    CHECK(engine_->kv_bytes() == 0);
    CHECK(engine_->kv_store().stowed_bytes() == stowed.bytes());
    CHECK(stowed.bytes() >= 250 * engine_->kv_layout().bytes_per_token());
    CHECK(stowed.bytes() < 260 * engine_->kv_layout().bytes_per_token());
    {
      const KvState back = engine_->Restore(stowed);
      stowed = {};
      CHECK(engine_->kv_store().stowed_bytes() == 0);
      CHECK(back.token_count() == 250 && back.parts().size() == 2);
      CHECK(engine_->kv_bytes() == 250 * engine_->kv_layout().bytes_per_token());
      CHECK(Next(back) == expected);
      CHECK(Next(back.View(50)) == Next(engine_->Prefill({}, all.first(50), 50, kNever, kSilent)));
    }
    CHECK(engine_->kv_bytes() == 0);
  }

  // Whatever the layout is, scales included: every byte of rows that are seen, and of those alone.
  void KeepsEveryByte() {
    const auto backend = MakeCpuBackend(1, true);
    const auto account = std::make_shared<std::atomic<int64_t>>(0);
    KvStore store(*backend);
    for (const DType type : {DType::kBF16, DType::kE4M3, DType::kF32}) {
      const KvLayout layout = {3, 2, 16, type};
      KvState state;
      for (const int64_t tokens : {7, 40, 1}) {
        const int64_t capacity = tokens + 5;
        auto segment =
            std::make_shared<KvSegment>(layout, state.token_count(), capacity,
                                        backend->Allocate(layout.bytes(capacity), "KV"), account);
        ForEachByte(*segment, tokens, [&](std::byte& byte, uint64_t number) {
          byte = static_cast<std::byte>((number * 2654435761u + tokens) >> 7);
        });
        segment->Commit(tokens);
        state = state.Append(std::move(segment));
      }
      const StowedKv stowed = store.Stow(state.View(30), kPlenty);
      const KvState back = store.Restore(stowed, account);
      CHECK(back.token_count() == 30 && back.parts().size() == 2 && back.type() == type);
      for (size_t i = 0; i < back.parts().size(); ++i) {
        const KvSegment& segment = *back.parts()[i].segment;
        CHECK(segment.first_position() == state.parts()[i].segment->first_position());
        std::vector<std::byte> expected;
        ForEachByte(*state.parts()[i].segment, segment.tokens(),
                    [&](std::byte& byte, uint64_t) { expected.push_back(byte); });
        size_t wrong = 0;
        ForEachByte(segment, segment.tokens(), [&](std::byte& byte, uint64_t number) {
          wrong += byte == expected[static_cast<size_t>(number)] ? 0 : 1;
        });
        CHECK(wrong == 0 && !expected.empty());
      }
    }
  }

  void RefusesWithFigures() {
    const KvState state = engine_->Prefill({}, tokens_, 64, kNever, kSilent);
    KvStore& store = engine_->kv_store();
    const StowedKv first = store.Stow(state, kPlenty);
    CHECK_ERROR(ErrorCode::kNotEnoughMemory,
                std::to_string(first.bytes()) + " of " + std::to_string(2 * first.bytes() - 1) +
                    " allowed bytes are taken",
                [&] { store.Stow(state, 2 * first.bytes() - 1); });
    CHECK(store.stowed_bytes() == first.bytes());
    store.Stow(state, 2 * first.bytes());
    CHECK(store.stowed_bytes() == first.bytes());
    CHECK_ERROR(ErrorCode::kInvalidArgument, "empty", [&] { store.Stow({}, kPlenty); });
  }

  // While the engine computes, from other threads.
  void RunsBesideTheEngine() {
    const KvState state = engine_->Prefill({}, tokens_, 64, kNever, kSilent);
    const std::vector<float> expected = Next(state);
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    std::vector<KvState> back(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 50; ++round) {
          back[static_cast<size_t>(i)] = engine_->Restore(engine_->kv_store().Stow(state, kPlenty));
        }
      });
    }
    for (int round = 0; round < 10; ++round) {
      right += Next(engine_->Prefill({}, tokens_, 64, kNever, kSilent)) == expected ? 1 : 0;
    }
    for (std::thread& thread : threads) thread.join();
    for (const KvState& one : back) right += Next(one) == expected ? 1 : 0;
    CHECK(right == 14);
  }

 private:
  std::vector<float> Next(const KvState& state) {
    return engine_->Logits(state, std::vector<uint32_t>{7}, 8, kNever);
  }

  template <class Visit>
  static void ForEachByte(const KvSegment& segment, int64_t tokens, const Visit& visit) {
    const KvLayout& layout = segment.layout();
    uint64_t number = 0;
    const auto bytes = [&](const std::byte* data, int64_t count) {
      for (int64_t i = 0; i < count; ++i) visit(const_cast<std::byte*>(data)[i], number++);
    };
    for (int64_t layer = 0; layer < layout.layers; ++layer) {
      bytes(segment.key_row(layer, 0), tokens * layout.row_bytes());
      bytes(segment.value_row(layer, 0), tokens * layout.row_bytes());
      bytes(segment.key_scales(layer, 0), tokens * layout.scale_row_bytes());
      bytes(segment.value_scales(layer, 0), tokens * layout.scale_row_bytes());
    }
  }

  TemporaryFolder folder_;
  std::unique_ptr<Engine> engine_;
  std::vector<uint32_t> tokens_;
};

}  // namespace
}  // namespace longsight::test

int main() {
  longsight::test::KvStowTest test;
  test.ComesBackTheSame();
  test.KeepsEveryByte();
  test.RefusesWithFigures();
  test.RunsBesideTheEngine();
  return longsight::test::Finish("kv_stow_test");
}

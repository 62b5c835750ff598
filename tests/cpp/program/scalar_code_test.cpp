// Where compiled scalar code puts its results: pinned slots, kept values, temporaries.
#include <gtest/gtest.h>

#include <set>

#include "../backends/scalar_programs.hpp"

namespace tapegrad {
namespace {

using testing::Draft;
using testing::faults;
using Value = Draft::Value;

TEST(ScalarCode, NothingToDo) {
  const ScalarCode empty = compile_scalars({});
  EXPECT_EQ(empty.end, 0u);
  run_scalars(empty, nullptr);

  Draft draft;
  draft.input(2.0);
  draft.add(Op::log, 0);
  EXPECT_EQ(faults(draft), 0);
  EXPECT_EQ(compile_scalars(draft.problem).end, 1u);  // nobody reads the logarithm
}

TEST(ScalarCode, ACopyOfAnInput) {
  Draft draft;
  draft.input(3.5);
  const SlotIndex room = draft.reserve(2);
  draft.add(Op::positive, 0, 0, 0, room + 1);
  draft.add(Op::positive, 0, 0, 0, room);
  EXPECT_EQ(faults(draft), 0);
}

// An array assembled from scalars: forward, backward, strided, and only here and there.
TEST(ScalarCode, PinnedRuns) {
  const auto place = [](int kind, std::uint32_t i, std::uint32_t n) -> SlotIndex {
    switch (kind) {
      case 0: return i;
      case 1: return n - 1 - i;
      case 2: return 3 * i;
      case 3: return i % 5 == 0 ? i : kTemporary;
      default: return (i * 37) % n;
    }
  };
  for (int kind = 0; kind < 5; ++kind) {
    for (const Op op : {Op::multiply, Op::sin, Op::subtract}) {
      constexpr std::uint32_t n = 500;
      Draft draft;
      for (std::uint32_t i = 0; i < n + 1; ++i) draft.input(0.01 * i);
      const SlotIndex room = draft.reserve(3 * n);
      Value sum = n;
      for (std::uint32_t i = 0; i < n; ++i) {
        const SlotIndex at = place(kind, i, n);
        const Value v = draft.add(op, i, i + 1, 0, at == kTemporary ? at : room + at);
        sum = draft.add(Op::add, sum, v, 0, i == n / 2 ? room + 2 * n + 1 : kTemporary);
      }
      draft.keep(sum);
      EXPECT_EQ(faults(draft), 0) << kind << " " << op_name(op);
    }
  }
}

TEST(ScalarCode, KeptValuesHaveSlotsOfTheirOwn) {
  std::vector<Op> ops{Op::add, Op::multiply, Op::scale, Op::negative, Op::exp};
  const Draft draft = testing::random_program(1, 5000, 400, ops);
  const ScalarCode code = compile_scalars(draft.problem);
  std::set<SlotIndex> taken(draft.problem.external.begin(), draft.problem.external.end());
  for (std::size_t i = 0; i < code.slot.size(); ++i) {
    if (draft.problem.pinned[i] == kTemporary && code.slot[i] == kNoSlot) continue;
    EXPECT_LT(code.slot[i], code.end);
    EXPECT_TRUE(taken.insert(code.slot[i]).second) << "slot " << code.slot[i] << " twice";
    const bool pinned = draft.problem.pinned[i] < kTemporary;
    EXPECT_EQ(pinned, code.slot[i] < draft.problem.first_free);
  }
}

TEST(ScalarCode, TemporariesBecomePartOfOtherOps) {
  Draft draft;
  for (int i = 0; i < 4; ++i) draft.input(1.5 + i);
  const Value product = draft.add(Op::multiply, 0, 1), other = draft.add(Op::multiply, 2, 3);
  draft.keep(draft.add(Op::subtract, product, other));
  const ScalarCode code = compile_scalars(draft.problem);
  EXPECT_EQ(code.slot[draft.op_of(other)], kNoSlot);
  EXPECT_EQ(code.end, 5u);  // only the difference is stored
  EXPECT_EQ(faults(draft, code), 0);
}

}  // namespace
}  // namespace tapegrad

// Straight-line code on float64 scalars: what the planner hands to the scalar backend, and the
// compact code it becomes. Independent equal ops are gathered into vectors; the rest is bytecode.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/op.hpp"

namespace tapegrad {

using SlotIndex = std::uint32_t;  // a double of the workspace

// In `pinned`, instead of a slot: any slot will do, and is told in ScalarCode::slot; or nobody
// outside reads the value, which then need not be stored at all (it may become part of another op).
inline constexpr SlotIndex kNoSlot = 0xffffffffu;
inline constexpr SlotIndex kTemporary = 0xfffffffeu;

// Values are numbered: first `external`, which lie in given slots (inputs, constants, elements of
// arrays), then the results of `ops` in their (topological) order.
struct ScalarProblem {
  struct Operation {
    Op op;  // elementwise, a comparison (result 0 or 1) or `where` (condition 0 or not)
    std::uint32_t in[3];
  };
  std::vector<SlotIndex> external;
  std::vector<Operation> ops;
  std::vector<SlotIndex>
      pinned;                // for each op: the slot its result must be found in, or a word above
  SlotIndex first_free = 0;  // slots from here on are the code's own
};

struct ScalarCode {
  std::vector<std::uint32_t> words;  // the code, see program/scalar_format.hpp
  std::vector<SlotIndex> slot;       // for each op: where its result lies; kNoSlot if nowhere
  SlotIndex end = 0;                 // first slot after the code's own
};

ScalarCode compile_scalars(const ScalarProblem& problem);

}  // namespace tapegrad

// Scalar programs for the tests of scalar code, and an interpreter that is too simple to be wrong.
#pragma once

#include <cstring>
#include <random>

#include "backends/scalar.hpp"
#include "ops/kernels.hpp"
#include "ops/table.hpp"

namespace tapegrad::testing {

// A program under construction. Externals come first, so they are made before the ops.
struct Draft {
  using Value = std::uint32_t;
  std::vector<double> inputs;
  ScalarProblem problem;

  Value input(double x) {
    inputs.push_back(x);
    problem.external.push_back(static_cast<SlotIndex>(inputs.size() - 1));
    problem.first_free = static_cast<SlotIndex>(inputs.size());
    return static_cast<Value>(inputs.size() - 1);
  }
  Value add(Op op, Value x, Value y = 0, Value z = 0, SlotIndex pinned = kTemporary) {
    problem.ops.push_back({op, {x, y, z}});
    problem.pinned.push_back(pinned);
    return static_cast<Value>(inputs.size() + problem.ops.size() - 1);
  }
  std::uint32_t op_of(Value v) const { return v - static_cast<Value>(inputs.size()); }
  void keep(Value v, SlotIndex pinned = kNoSlot) { problem.pinned[op_of(v)] = pinned; }
  // Makes room for `count` slots that results can be pinned to.
  SlotIndex reserve(std::uint32_t count) {
    problem.first_free += count;
    return problem.first_free - count;
  }
};

inline double value_by_table(Op op, double x, double y, double z) {
  if (op == Op::where) return x != 0 ? y : z;
  double result = 0;
  bool truth = false;
  const bool compares = kind_of(op) == OpKind::comparison;
  const auto bytes = [](auto* p) { return reinterpret_cast<char*>(p); };
  char* out = compares ? bytes(&truth) : bytes(&result);
  char* args[] = {bytes(&x), arity_of(op) == 1 ? out : bytes(&y), out};
  const std::intptr_t n = 1, strides[] = {8, 8, 8};
  const Kernel& k = kernel(op, DType::f64);
  k.value(args, &n, strides, k.data);
  return compares ? (truth ? 1.0 : 0.0) : result;
}

inline std::vector<double> values_of(const Draft& draft) {
  std::vector<double> v = draft.inputs;
  for (const auto& op : draft.problem.ops)
    v.push_back(value_by_table(op.op, v[op.in[0]], v[op.in[1]], v[op.in[2]]));
  return v;
}

inline bool same(double a, double b) {
  return (a != a && b != b) || std::memcmp(&a, &b, sizeof a) == 0;
}

inline std::vector<double> workspace_of(const Draft& draft, const ScalarCode& code) {
  std::vector<double> slots(code.end, -77.0);
  std::copy(draft.inputs.begin(), draft.inputs.end(), slots.begin());
  return slots;
}

// Ops whose results are not what the table gives, or not where they were asked for.
inline int faults(const Draft& draft, const ScalarCode& code) {
  std::vector<double> slots = workspace_of(draft, code);
  run_scalars(code, slots.data());
  const std::vector<double> expected = values_of(draft);
  int count = 0;
  for (std::size_t i = 0; i < draft.problem.ops.size(); ++i) {
    const SlotIndex pinned = draft.problem.pinned[i], slot = code.slot[i];
    const bool in_place = pinned >= kTemporary || slot == pinned;
    if (slot == kNoSlot && pinned == kTemporary) continue;
    count += !in_place || slot >= code.end || !same(slots[slot], expected[draft.inputs.size() + i]);
  }
  for (std::size_t i = 0; i < draft.inputs.size(); ++i) count += !same(slots[i], draft.inputs[i]);
  return count;
}
inline int faults(const Draft& draft) { return faults(draft, compile_scalars(draft.problem)); }

// All ops that scalar code may hold.
inline std::vector<Op> scalar_ops() {
  std::vector<Op> ops;
  for (int i = 0; i <= static_cast<int>(Op::where); ++i) ops.push_back(static_cast<Op>(i));
  return ops;
}

// An op on values of the draft drawn by `pick`; parameters (orders, exponents) are external 0 or 1,
// which hold 1.0 and 2.0.
template <class Pick>
Draft::Value add_random(Draft& draft, Op op, Pick&& pick) {
  Draft::Value in[3] = {0, 0, 0};
  for (int k = 0; k < arity_of(op); ++k) in[k] = pick();
  for (const TableRow& row : table())
    for (int k = 0; row.op == op && k < row.arity; ++k)
      if (!row.differentiable_in(k)) in[k] = row.low[k] == 1 ? 0 : 1;
  return draft.add(op, in[0], in[1], in[2]);
}

// Ops on the `reach` values before them; some results kept, some pinned. Two ops read the sign of a
// NaN, which is the compiler's choice (x * y has that of either operand), and are left out.
inline Draft random_program(std::uint32_t seed, std::uint32_t count, std::uint32_t reach,
                            const std::vector<Op>& ops) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> number(-2, 2);
  Draft draft;
  draft.input(1.0);
  draft.input(2.0);
  for (int i = 0; i < 12; ++i) draft.input(number(random));
  draft.input(0.0);
  const auto inputs = static_cast<std::uint32_t>(draft.inputs.size());
  const SlotIndex room = draft.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto pick = [&] {  // mostly recent values, sometimes an input
      const std::uint32_t last = inputs + i;
      return random() % 8 == 0 ? random() % inputs : last - 1 - random() % std::min(last, reach);
    };
    Op op = ops[random() % ops.size()];
    if (op == Op::signbit || op == Op::copysign) op = Op::absolute;
    const auto v = add_random(draft, op, pick);
    const auto fate = random() % 8;
    if (fate < 2) draft.keep(v, fate == 0 ? kNoSlot : room + i);
  }
  return draft;
}

}  // namespace tapegrad::testing

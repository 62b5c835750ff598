// The adjoint sweep in numbers.
#include "base/copy.hpp"
#include "ops/elementwise.hpp"
#include "sweeps/rule_on_tape.hpp"
#include "sweeps/store.hpp"
#include "sweeps/sweeps.hpp"

namespace tapegrad {
namespace {

class AdjointFrame final : public Frame {
 public:
  AdjointFrame(const Tape& tape, NodeId begin, NodeId end, std::int64_t lanes)
      : Frame(tape, numbers), numbers(lanes), adjoints(tape, begin, end, lanes) {}

  Term lift(Operand o) override {
    return is_constant(o) ? Term(tape.constant(o)) : numbers.constant(tape.value(o));
  }
  bool active(Operand o) const override {
    return adjoints.holds(o) && tape[o].op != Op::constant;
  }
  void add(NodeId id, Term t) override {
    if (!t.is_literal()) return adjoints.add(id, numbers.get(t));
    const Meta m = tape.meta(id);
    adjoints.add(id, {Array::full(m.dtype, m.shape, t.literal), false});
  }

  void step(NodeId id);

  NumericAlgebra numbers;
  NumericStore adjoints;

 private:
  bool elementwise_in_place(NodeId id, const Node& n, LaneArray& g);
  bool part_in_place(const Node& n, const Array& g);
  bool assignment_in_place(const Node& n, Array& g);
  void pull_into(NodeId id, const Node& n, int i, const Array& g);
};

// One contribution of an elementwise node whose operand has the shape and dtype of the result: added
// into the operand's adjoint by one fused loop.
void AdjointFrame::pull_into(NodeId id, const Node& n, int i, const Array& g) {
  const Operand o = i == 0 ? n.a : n.b;
  const PartialInfo& info = partial_info(n.op);
  if (info.constant[i] && info.value[i] == 1) return adjoints.add(o, {g, false});
  const unsigned needs = info.needs[i];
  auto value = [&](unsigned need, Operand v) {
    if (!(needs & need)) return Array();
    return is_constant(v) ? Array::full(n.dtype, {}, tape.constant(v)) : tape.value(v);
  };
  const PullArgs args{n.op, i, g, value(kNeedsX, n.a), value(kNeedsY, n.b),
                      value(kNeedsResult, id), {}, {}, {}, {}};
  if (adjoints.has(o)) return pull(args, adjoints.writable(o), true);
  Array out = Array::empty(n.dtype, g.shape());
  pull(args, out, false);
  adjoints.set(o, {std::move(out), false});
}

bool AdjointFrame::elementwise_in_place(NodeId id, const Node& n, LaneArray& g) {
  if (g.batched || n.has(Node::kScalar)) return false;
  for (int i = 0; i < arity_of(n.op); ++i) {
    const Operand o = i == 0 ? n.a : n.b;
    if (is_constant(o)) continue;
    if (tape[o].dtype != n.dtype) return false;
  }
  for (int i = 0; i < arity_of(n.op); ++i) {
    const Operand o = i == 0 ? n.a : n.b;
    if (!active(o) || is_flat(n.op, i)) continue;
    const Meta m = tape.meta(o);
    if (!tape[o].has(Node::kScalar) && m.shape == g.array.shape()) pull_into(id, n, i, g.array);
    else add(o, fit(pull_on_tape(*this, n, id, i, numbers.put(g)), m));
  }
  return true;
}

// Ops that read a part of operand 0 (item, slice, gather) cost the part, not the whole.
bool AdjointFrame::part_in_place(const Node& n, const Array& g) {
  const Rules& rules = rules_of(n.op);
  if (!rules.accumulate || !active(n.a) || tape[n.a].has(Node::kScalar)) return false;
  std::int64_t immediate = 0;
  const Attrs attrs = tape.attrs(n, immediate);
  std::array<Array, 1> rest;
  const bool indexed = tape.operand_count(n) == 2;
  if (indexed) rest[0] = tape.value(tape.operand(n, 1));
  rules.accumulate(adjoints.writable(n.a), g, std::span<const Array>(rest.data(), indexed), attrs);
  return true;
}

// Ops that overwrite a part of operand 0: the part's adjoint goes to what was written, and what is
// left, with zeros in its place, is the adjoint of the base. No other handle, no copy.
bool AdjointFrame::assignment_in_place(const Node& n, Array& g) {
  const Rules& rules = rules_of(n.op);
  if (!rules.update || n.op == Op::scatter_add) return false;
  std::int64_t immediate = 0;
  const Attrs attrs = tape.attrs(n, immediate);
  const Operand base = tape.operand(n, 0), written = tape.operand(n, 1);
  const Array index = n.op == Op::put ? tape.value(tape.operand(n, 2)) : Array();
  Array part;
  if (n.op == Op::item_set) part = evaluate(Op::item, {g}, attrs);
  else if (n.op == Op::slice_set) part = evaluate(Op::slice, {g}, attrs);
  else part = evaluate(Op::gather, {g, index}, attrs);
  Array copy = Array::empty(part.dtype(), part.shape());  // the part must not share g's memory
  copy_into(part, copy);
  part = Array();
  const Dims part_shape = copy.shape();
  if (active(written)) add(written, fit(numbers.put({std::move(copy), false}), tape.meta(written)));
  if (!active(base)) return true;
  std::array<Array, 2> rest{Array::zeros(g.dtype(), part_shape), index};
  if (!g.exclusive() || !g.contiguous()) {
    Array own = Array::empty(g.dtype(), g.shape());
    copy_into(g, own);
    g = std::move(own);
  }
  rules.update(g, std::span<const Array>(rest.data(), n.op == Op::put ? 2 : 1), attrs);
  if (tape[base].dtype == g.dtype()) adjoints.add(base, {std::move(g), false});
  else add(base, fit(numbers.put({std::move(g), false}), tape.meta(base)));
  return true;
}

void AdjointFrame::step(NodeId id) {
  const Node& n = tape[id];
  if (n.has(Node::kFastPath)) return scalar_adjoint(tape, n, id, adjoints.rows);
  if (kind_of(n.op) == OpKind::leaf && !(n.op == Op::alias && active(n.a))) return;
  if (n.op == Op::item && !adjoints.batched() && n.has(Node::kScalar)) {
    const double g = adjoints.rows[id];
    if (g != 0 && active(n.a) && tape[n.a].dtype == DType::f64 && !tape[n.a].has(Node::kScalar))
      adjoints.writable(n.a).at<double>(n.attr) += g;
    else if (g != 0 && active(n.a)) adjoint_step(*this, id, numbers.put(adjoints.get(id)));
    return numbers.release(0);
  }
  if (!adjoints.has(id)) return;
  LaneArray g = adjoints.take(id);
  if (is_elementwise(n.op) ? elementwise_in_place(id, n, g)
      : kind_of(n.op) == OpKind::structured && !g.batched
          ? part_in_place(n, g.array) || assignment_in_place(n, g.array)
          : false)
    return numbers.release(0);
  adjoint_step(*this, id, numbers.put(std::move(g)));
  numbers.release(0);
}

NodeId end_of(const std::vector<Seed>& seeds, NodeId begin) {
  NodeId end = begin;
  for (auto& s : seeds) end = std::max(end, s.node + 1);
  return end;
}

}  // namespace

std::vector<Array> adjoint_sweep(const Tape& tape, NodeId begin, const std::vector<Seed>& seeds,
                                 const std::vector<NodeId>& inputs, std::int64_t lanes) {
  const NodeId end = end_of(seeds, begin);
  AdjointFrame frame(tape, begin, end, lanes);
  for (auto& s : seeds)
    if (frame.adjoints.holds(s.node)) frame.adjoints.add(s.node, {s.value, lanes > 0});
  for (NodeId id = end; id-- > begin;) frame.step(id);
  return frame.adjoints.collect(inputs);
}

std::vector<Array> all_adjoints(const Tape& tape, NodeId begin, const Seed& seed) {
  AdjointFrame frame(tape, begin, seed.node + 1, 0);
  frame.adjoints.add(seed.node, {seed.value, false});
  std::vector<Array> all(seed.node + 1 - begin);
  for (NodeId id = seed.node + 1; id-- > begin;) {
    if (frame.adjoints.has(id)) {
      const Array g = frame.adjoints.get(id).array;
      all[id - begin] = Array::empty(g.dtype(), g.shape());
      copy_into(g, all[id - begin]);
    }
    frame.step(id);
  }
  return all;
}

}  // namespace tapegrad

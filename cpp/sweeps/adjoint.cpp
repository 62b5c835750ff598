// The adjoint sweep in numbers.
#include "base/copy.hpp"
#include "ops/elementwise.hpp"
#include "ops/parts.hpp"
#include "sweeps/numeric_frame.hpp"
#include "sweeps/poles.hpp"
#include "sweeps/sweeps.hpp"

namespace tapegrad {
namespace {

class AdjointFrame final : public NumericFrame {
 public:
  AdjointFrame(const Tape& tape, NodeId begin, NodeId end, const std::vector<Seed>& seeds,
               std::int64_t lanes)
      : NumericFrame(tape, lanes),
        adjoints(tape, begin, end, lanes),
        counts_(tape, begin, end, seeds, lanes) {
    for (auto& s : seeds)
      if (adjoints.holds(s.node)) adjoints.add(s.node, {s.value, lanes > 0});
  }

  bool active(Operand o) const override { return adjoints.wants(o); }
  void add(NodeId id, Term t) override {
    if (!t.is_literal()) return adjoints.add(id, numbers.get(t));
    const Meta m = tape.meta(id);
    adjoints.add(id, {Array::full(m.dtype, m.shape, t.literal), false});
  }

  Term hand_on(NodeId id, Term g, Term slope) override {
    if (!meets_pole(numbers, g, slope)) return scale(g, slope);
    return past_pole(g, slope, counts_.of(id, numbers));
  }
  void step(NodeId id);

  NumericStore adjoints;

 private:
  bool elementwise_in_place(NodeId id, const Node& n, LaneArray& g);
  void pull_into(NodeId id, const Node& n, int i, const Array& g);
  void missing(NodeId id, const Node& n);

  NumericCounts counts_;
};

// One contribution of an elementwise node whose operand has the shape and dtype of the result:
// added into the operand's adjoint by one fused loop.
void AdjointFrame::pull_into(NodeId id, const Node& n, int i, const Array& g) {
  const Operand o = i == 0 ? n.a : n.b;
  const PartialInfo& info = partial_info(n.op);
  if (info.constant[i] && info.value[i] == 1) return adjoints.add(o, {g, false});
  const unsigned needs = info.needs[i];
  auto value = [&](unsigned need, Operand v) {
    if (!(needs & need)) return Array();
    return is_constant(v) ? Array::full(n.dtype, {}, tape.constant(v)) : tape.value(v);
  };
  const PullArgs args{
      n.op, i,  g, value(kNeedsX, n.a), value(kNeedsY, n.b), value(kNeedsResult, id), {},
      {},   {}, {}};
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

// Nobody has handed on anything, maybe because it was zero.
void AdjointFrame::missing(NodeId id, const Node& n) {
  const LaneArray zero{broadcast_view(Array::zeros(n.dtype, {}), tape.meta(id).shape), false};
  if (kind_of(n.op) == OpKind::structured && has_pole(n.op))
    adjoint_step(*this, id, numbers.put(zero));
  else if (meets_pole(*this, id, zero, numbers.lanes()))
    pole_step(*this, id, numbers.put(zero), counts_.of(id, numbers));
  numbers.release(0);
}

void AdjointFrame::step(NodeId id) {
  const Node& n = tape[id];
  if (n.has(Node::kFastPath)) {
    if (!scalar_meets_pole(tape, n, adjoints.rows.row(id), adjoints.rows.lanes()))
      return scalar_adjoint(tape, n, id, adjoints.rows);
    pole_step(*this, id, numbers.put(adjoints.get(id)), counts_.of(id, numbers));
    return numbers.release(0);
  }
  if (n.has(Node::kDetached)) return;
  if (kind_of(n.op) == OpKind::leaf && !(n.op == Op::alias && active(n.a))) return;
  if (n.op == Op::item && !adjoints.batched() && n.has(Node::kScalar)) {
    const double g = adjoints.rows[id];
    if (g != 0 && active(n.a) && tape[n.a].dtype == DType::f64 && !tape[n.a].has(Node::kScalar))
      adjoints.writable(n.a).at<double>(n.attr) += g;
    else if (g != 0 && active(n.a)) adjoint_step(*this, id, numbers.put(adjoints.get(id)));
    return numbers.release(0);
  }
  if (!adjoints.has(id)) return missing(id, n);
  LaneArray g = adjoints.take(id);
  if (adjoints.pulls_part(n)) return adjoints.pull_part(n, std::move(g.array));
  if (meets_pole(*this, id, g, numbers.lanes())) {
    pole_step(*this, id, numbers.put(std::move(g)), counts_.of(id, numbers));
    return numbers.release(0);
  }
  if (is_elementwise(n.op) && elementwise_in_place(id, n, g)) return numbers.release(0);
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
  AdjointFrame frame(tape, begin, end, seeds, lanes);
  for (NodeId id = end; id-- > begin;) frame.step(id);
  return frame.adjoints.collect(inputs);
}

std::vector<Array> all_adjoints(const Tape& tape, NodeId begin, const Seed& seed) {
  AdjointFrame frame(tape, begin, seed.node + 1, {seed}, 0);
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

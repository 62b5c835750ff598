// Forward over reverse: the adjoint sweep in dual numbers, after a tangent sweep.
#include "ops/elementwise.hpp"
#include "sweeps/dual.hpp"
#include "sweeps/tangent.hpp"

namespace tapegrad {
namespace {

class DualFrame final : public Frame {
 public:
  DualFrame(TangentFrame& forward, NodeId begin, NodeId end, NodeId output, std::int64_t lanes)
      : Frame(forward.tape, duals), numbers(lanes), duals(numbers), forward(forward), output(output),
        adjoints(tape, begin, end, 0), adjoint_tangents(tape, begin, end, lanes) {}

  Term lift(Operand o) override {
    if (is_constant(o)) return Term(tape.constant(o));
    std::optional<Term> t;
    if (forward.active(o)) t = numbers.put(forward.tangents.get(o));
    return duals.put({numbers.constant(tape.value(o)), t});
  }
  bool active(Operand o) const override {
    return adjoints.holds(o) && tape[o].op != Op::constant;
  }
  void add(NodeId id, Term t) override {
    const DualAlgebra::Pair p = duals.get(t);
    const Meta m = tape.meta(id);
    adjoints.add(id, p.v.is_literal()
                         ? LaneArray{Array::full(m.dtype, m.shape, p.v.literal), false}
                         : numbers.get(p.v));
    if (p.t) adjoint_tangents.add(id, numbers.get(*p.t));
  }
  void step(NodeId id) {
    const Node& n = tape[id];
    if (n.has(Node::kFastPath))
      return scalar_second_order(tape, n, id, forward.tangents.rows, adjoints.rows,
                                 adjoint_tangents.rows);
    if (kind_of(n.op) == OpKind::leaf && !(n.op == Op::alias && active(n.a))) return;
    const bool has_v = adjoints.has(id), has_t = adjoint_tangents.has(id);
    if (!has_v && !has_t) return;
    const Meta m = tape.meta(id);
    const Term v = numbers.put(has_v ? adjoints.take(id)
                                     : LaneArray{Array::zeros(m.dtype, m.shape), false});
    std::optional<Term> t;
    if (has_t) t = numbers.put(adjoint_tangents.take(id));
    adjoint_step(*this, id, duals.put({v, t}));
    duals.release(0);
    numbers.release(0);
    if (!n.has(Node::kScalar) && id != output) forward.tangents.take(id);  // its consumers are done
  }

  NumericAlgebra numbers;
  DualAlgebra duals;
  TangentFrame& forward;
  const NodeId output;
  NumericStore adjoints;          // one direction
  NumericStore adjoint_tangents;  // with the lanes
};

}  // namespace

SecondOrder second_order_sweep(const Tape& tape, NodeId begin, const Seed& adjoint_seed,
                               const std::vector<Seed>& tangent_seeds, std::int64_t lanes) {
  NodeId end = adjoint_seed.node + 1;
  std::vector<NodeId> inputs;
  for (auto& s : tangent_seeds) {
    inputs.push_back(s.node);
    end = std::max(end, s.node + 1);
  }
  TangentFrame forward(tape, begin, end, lanes);
  forward.seed(tangent_seeds);
  forward.run(begin, end, {adjoint_seed.node}, true);
  DualFrame frame(forward, begin, end, adjoint_seed.node, lanes);
  if (frame.adjoints.holds(adjoint_seed.node))
    frame.adjoints.add(adjoint_seed.node, {adjoint_seed.value, false});
  for (NodeId id = end; id-- > begin;) frame.step(id);
  SecondOrder result;
  result.output_tangent = forward.tangents.collect({adjoint_seed.node})[0];
  result.gradients = frame.adjoints.collect(inputs);
  result.products = frame.adjoint_tangents.collect(inputs);
  return result;
}

}  // namespace tapegrad

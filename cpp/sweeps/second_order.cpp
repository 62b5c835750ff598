// Forward over reverse: the adjoint sweep in dual numbers, after a tangent sweep.
#include "ops/elementwise.hpp"
#include "sweeps/dual.hpp"
#include "sweeps/tangent.hpp"

namespace tapegrad {
namespace {

class DualFrame final : public Frame {
 public:
  DualFrame(TangentFrame& forward, NodeId begin, NodeId end, NodeId output, std::int64_t lanes)
      : Frame(forward.tape, duals),
        numbers(lanes),
        duals(numbers),
        forward(forward),
        output(output),
        adjoints(tape, begin, end, 0),
        adjoint_tangents(tape, begin, end, lanes) {}

  Term lift(Operand o) override {
    if (is_constant(o)) return Term(tape.constant(o));
    std::optional<Term> t;
    if (forward.active(o)) t = numbers.put(forward.tangents.get(o));
    return duals.put({numbers.constant(tape.value(o)), t});
  }
  bool active(Operand o) const override { return adjoints.holds(o) && tape[o].op != Op::constant; }
  void add(NodeId id, Term t) override {
    const DualAlgebra::Pair p = duals.get(t);
    const Meta m = tape.meta(id);
    adjoints.add(id, p.v.is_literal() ? LaneArray{Array::full(m.dtype, m.shape, p.v.literal), false}
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
    if (adjoint_tangents.pulls_part(n)) {  // linear: value and tangent go the same way
      if (has_v) adjoints.pull_part(n, adjoints.take(id).array);
      if (has_t) adjoint_tangents.pull_part(n, adjoint_tangents.take(id).array);
      if (!n.has(Node::kScalar) && id != output) forward.tangents.take(id);
      return;
    }
    const Meta m = tape.meta(id);
    const Term v =
        numbers.put(has_v ? adjoints.take(id) : LaneArray{Array::zeros(m.dtype, m.shape), false});
    std::optional<Term> t;
    if (has_t) t = numbers.put(adjoint_tangents.take(id));
    if (!fused(id, n, v, t)) adjoint_step(*this, id, duals.put({v, t}));
    duals.release(0);
    numbers.release(0);
    if (!n.has(Node::kScalar) && id != output) forward.tangents.take(id);  // its consumers are done
  }

  // An elementwise node of float64 arrays of one shape, without lanes: one loop for each operand,
  // adding into adjoints that exist. False if the node is of another kind.
  bool fused(NodeId id, const Node& n, Term v, const std::optional<Term>& t) {
    if (!is_elementwise(n.op) || numbers.lanes() || n.dtype != DType::f64 || n.has(Node::kScalar))
      return false;
    const Array g = numbers.get(v).array, gt = t ? numbers.get(*t).array : Array();
    for (int i = 0; i < arity_of(n.op); ++i) {
      const Operand o = i == 0 ? n.a : n.b;
      if (is_constant(o)) continue;
      const Meta m = tape.meta(o);
      if (m.dtype != DType::f64 || (active(o) && !(m.shape == g.shape()))) return false;
    }
    for (int i = 0; i < arity_of(n.op); ++i) {
      const Operand o = i == 0 ? n.a : n.b;
      if (active(o) && !is_flat(n.op, i)) pull_into(id, n, i, g, gt);
    }
    return true;
  }
  void pull_into(NodeId id, const Node& n, int i, const Array& g, const Array& gt) {
    const Operand o = i == 0 ? n.a : n.b;
    const PartialInfo& info = partial_info(n.op);
    if (info.constant[i] && info.value[i] == 1) {
      adjoints.add(o, {g, false});
      if (gt) adjoint_tangents.add(o, {gt, false});
      return;
    }
    PullArgs args{n.op, i, g, {}, {}, {}, gt, {}, {}, {}};
    auto read = [&](unsigned need, Operand v, Array& value, Array& tangent) {
      if (!(info.needs[i] & need)) return;
      value = is_constant(v) ? Array::scalar(tape.constant(v)) : tape.value(v);
      if (forward.active(v)) tangent = forward.tangents.get(v).array;
    };
    read(kNeedsX, n.a, args.x, args.x_t);
    read(kNeedsY, n.b, args.y, args.y_t);
    read(kNeedsResult, id, args.r, args.r_t);
    if (adjoints.has(o) && adjoint_tangents.has(o))
      return pull_dual(args, adjoints.writable(o), adjoint_tangents.writable(o), true);
    Array out = Array::empty(DType::f64, g.shape()), out_t = Array::empty(DType::f64, g.shape());
    pull_dual(args, out, out_t, false);
    adjoints.add(o, {std::move(out), false});
    adjoint_tangents.add(o, {std::move(out_t), false});
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

// Forward over reverse: the adjoint sweep in dual numbers, after a tangent sweep.
#include <functional>

#include "ops/elementwise.hpp"
#include "ops/scans.hpp"
#include "sweeps/dual.hpp"
#include "sweeps/poles.hpp"
#include "sweeps/tangent.hpp"

namespace tapegrad {
namespace {

// A product as its adjoint rule sees it, with other values in the place of its operands: the rule
// is linear in each of adjoint, left and right, so its tangent is the rule itself, run on tangents.
class ProductRule final : public Rule {
 public:
  using Add = std::function<void(int, Term)>;
  ProductRule(NumericAlgebra& numbers, const Tape& tape, NodeId id,
              std::array<std::optional<Term>, 2> in, std::array<bool, 2> active, Add add)
      : Rule(numbers, Op::matmul, {}, 2),
        tape_(tape),
        node_(tape[id]),
        id_(id),
        in_(in),
        active_(active),
        add_(std::move(add)) {}
  Term in(int i) override { return *in_[static_cast<std::size_t>(i)]; }
  Term out() override { return ensure(false, "a product rule reads no result"), Term(); }
  Meta in_meta(int i) const override { return tape_.meta(i == 0 ? node_.a : node_.b); }
  Meta out_meta() const override { return tape_.meta(id_); }
  // The adjoint of one operand reads the other.
  bool active(int i) const override {
    return active_[static_cast<std::size_t>(i)] && in_[static_cast<std::size_t>(1 - i)].has_value();
  }
  Term tangent(int) override { return ensure(false, "an adjoint rule reads no tangent"), Term(); }
  void add(int i, Term t) override { add_(i, t); }

 private:
  const Tape& tape_;
  const Node node_;
  const NodeId id_;
  std::array<std::optional<Term>, 2> in_;
  std::array<bool, 2> active_;
  Add add_;
};

class DualFrame final : public Frame {
 public:
  DualFrame(TangentFrame& forward, NodeId begin, NodeId end, const Seed& seed, std::int64_t lanes,
            bool gradients)
      : Frame(forward.tape, duals),
        numbers(lanes),
        duals(numbers),
        forward(forward),
        output(seed.node),
        gradients(gradients),
        adjoints(tape, begin, end, 0),
        adjoint_tangents(tape, begin, end, lanes),
        counts(tape, begin, end, {seed}, 0) {
    if (adjoints.holds(output)) adjoints.add(output, {seed.value, false});
  }

  Term lift(Operand o) override {
    if (is_constant(o)) return Term(tape.constant(o));
    std::optional<Term> t;
    if (forward.active(o)) t = numbers.put(forward.tangents.get(o));
    return duals.put({numbers.constant(tape.value(o)), t});
  }
  bool active(Operand o) const override { return adjoints.wants(o); }
  bool may_be_zero(NodeId id) override { return any_zero(tape.value(id)); }
  Term hand_on(NodeId id, Term g, Term slope) override {
    if (!meets_pole(numbers, duals.get(g).v, duals.get(slope).v)) return scale(g, slope);
    return past_pole(g, slope, lifted_counts(id));
  }
  void add(NodeId id, Term t) override {
    const DualAlgebra::Pair p = duals.get(t);
    const Meta m = tape.meta(id);
    adjoints.add(id, p.v.is_literal() ? LaneArray{Array::full(m.dtype, m.shape, p.v.literal), false}
                                      : numbers.get(p.v));
    if (p.t) adjoint_tangents.add(id, numbers.get(*p.t));
  }
  void step(NodeId id) {
    const Node& n = tape[id];
    const bool fast = n.has(Node::kFastPath);
    if (fast && !scalar_meets_pole(tape, n, adjoints.rows.row(id), 1))
      return scalar_second_order(tape, n, id, forward.tangents.rows, adjoints.rows,
                                 adjoint_tangents.rows);
    if (n.has(Node::kDetached)) return;
    if (kind_of(n.op) == OpKind::leaf && !(n.op == Op::alias && active(n.a))) return;
    const bool has_v = adjoints.has(id), has_t = adjoint_tangents.has(id);
    if (!has_v && !has_t && !may_be_at_pole(tape, n)) return;
    if (adjoint_tangents.pulls_part(n)) {  // linear: value and tangent go the same way
      if (has_v) adjoints.pull_part(n, adjoints.take(id).array);
      if (has_t) adjoint_tangents.pull_part(n, adjoint_tangents.take(id).array);
      if (!n.has(Node::kScalar) && id != output) forward.tangents.take(id);
      return;
    }
    if (n.op == Op::matmul) return product(id, n, has_v, has_t);
    const Meta m = tape.meta(id);
    const Term v =
        numbers.put(has_v ? adjoints.take(id) : LaneArray{Array::zeros(m.dtype, m.shape), false});
    std::optional<Term> t;
    if (has_t) t = numbers.put(adjoint_tangents.take(id));
    if (fast || meets_pole(*this, id, numbers.get(v), 0)) {
      pole_step(*this, id, duals.put({v, t}), lifted_counts(id));
    } else if (!fused(id, n, v, t)) {
      adjoint_step(*this, id, duals.put({v, t}));
    }
    duals.release(0);
    numbers.release(0);
    if (!n.has(Node::kScalar) && id != output) forward.tangents.take(id);  // its consumers are done
  }

  Term lifted_counts(NodeId id) {
    const Term count = counts.of(id, numbers);
    return count.is_literal() ? count : duals.put({count, {}});
  }

  // Five products of matrices at most, where running the rule on dual numbers takes six: the
  // adjoint of an input is worked out only if it is asked for.
  void product(NodeId id, const Node& n, bool has_v, bool has_t) {
    const Operand operands[] = {n.a, n.b};
    std::array<std::optional<Term>, 2> values, tangents;
    std::array<bool, 2> wanted{active(n.a), active(n.b)}, passed_on = wanted;
    for (std::size_t i = 0; i < 2; ++i) {
      if (wanted[1 - i]) values[i] = numbers.constant(tape.value(operands[i]));
      if (wanted[1 - i] && forward.active(operands[i]))
        tangents[i] = numbers.put(forward.tangents.get(operands[i]));
      passed_on[i] = wanted[i] && (gradients || tape[operands[i]].op != Op::input);
    }
    auto into = [&](NumericStore& store) {
      return [&store, &operands, this](int i, Term t) { store.add(operands[i], numbers.get(t)); };
    };
    auto run = [&](std::array<std::optional<Term>, 2> in, std::array<bool, 2> which,
                   NumericStore& store, Term adjoint) {
      ProductRule rule(numbers, tape, id, in, which, into(store));
      rules_of(Op::matmul).adjoint(rule, adjoint);
    };
    if (has_v) {
      const Term g = numbers.put(adjoints.take(id));
      run(values, passed_on, adjoints, g);
      run(tangents, wanted, adjoint_tangents, g);
    }
    if (has_t) run(values, wanted, adjoint_tangents, numbers.put(adjoint_tangents.take(id)));
    numbers.release(0);
    if (!n.has(Node::kScalar) && id != output) forward.tangents.take(id);
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
  const bool gradients;           // of inputs are asked for
  NumericStore adjoints;          // one direction
  NumericStore adjoint_tangents;  // with the lanes
  NumericCounts counts;
};

}  // namespace

SecondOrder second_order_sweep(const Tape& tape, NodeId begin, const Seed& adjoint_seed,
                               const std::vector<Seed>& tangent_seeds, std::int64_t lanes,
                               bool gradients) {
  NodeId end = adjoint_seed.node + 1;
  std::vector<NodeId> inputs;
  for (auto& s : tangent_seeds) {
    inputs.push_back(s.node);
    end = std::max(end, s.node + 1);
  }
  TangentFrame forward(tape, begin, end, lanes);
  forward.seed(tangent_seeds);
  forward.run(begin, end, {adjoint_seed.node}, true);
  DualFrame frame(forward, begin, end, adjoint_seed, lanes, gradients);
  for (NodeId id = end; id-- > begin;) frame.step(id);
  SecondOrder result;
  result.output_tangent = forward.tangents.collect({adjoint_seed.node})[0];
  if (gradients) result.gradients = frame.adjoints.collect(inputs);
  result.products = frame.adjoint_tangents.collect(inputs);
  return result;
}

}  // namespace tapegrad

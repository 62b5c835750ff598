// A node of a tape seen through `Rule`, for any sweep; and the two steps that walk a node that is
// not on the scalar fast path. A Frame is what a sweep keeps: where values, tangents and adjoints
// are.
#pragma once

#include <optional>

#include "ops/kernels.hpp"
#include "ops/rules.hpp"
#include "sweeps/roots.hpp"
#include "tape/tape.hpp"

namespace tapegrad {

class Frame {
 public:
  Frame(const Tape& tape, Algebra& algebra) : tape(tape), algebra(algebra) {}
  virtual ~Frame() = default;
  virtual Term lift(Operand o) = 0;          // the value of an operand in the algebra
  virtual bool active(Operand o) const = 0;  // has a tangent, or wants an adjoint
  // Whether an operand is made of the inputs; also where it has no tangent, as a step has none.
  virtual bool depends(Operand o) const { return active(o); }
  virtual Term tangent(Operand) {
    ensure(false, "a frame with tangents");
    return {};
  }
  virtual void add(NodeId, Term) { ensure(false, "a frame with adjoints"); }
  // The adjoint of a node, given away; nothing if it is zero.
  virtual std::optional<Term> take(NodeId) {
    ensure(false, "a frame with adjoints");
    return {};
  }
  virtual void add_item(NodeId item, Term t);  // what `item` hands on to its array
  virtual void set(NodeId, Term) { ensure(false, "a frame with tangents"); }
  // Whether an operand may have a tangent that vanishes; of an active one it is not known.
  virtual bool may_vanish(Operand) const { return false; }
  // Whether it is lost at a node that may lose it (roots.hpp), and what is handed on then.
  virtual bool loses_tangent(NodeId, int) { return false; }
  virtual Term through_pole(NodeId, int) {
    ensure(false, "a frame with tangents");
    return {};
  }
  virtual bool may_be_zero(NodeId) { return true; }  // some element of the value
  // The adjoint of a structured op with poles times a slope.
  virtual Term hand_on(NodeId, Term adjoint, Term slope) { return scale(adjoint, slope); }
  // What any op that reads or overwrites a part hands on, at the cost of the part; false: not here.
  virtual bool add_part(NodeId, Term) { return false; }
  virtual void release() {}  // terms live for one step

  const Tape& tape;
  Algebra& algebra;
};

// Node and attributes are copies: a rule that records makes the tape grow, and its pools move.
struct NodeCopy {
  NodeCopy(const Tape& tape, NodeId id) : node_(tape[id]) {
    std::int64_t immediate = 0;
    attrs_ = Dims(tape.attrs(node_, immediate));
  }
  Node node_;
  Dims attrs_;
};

class RuleOnTape final : private NodeCopy, public Rule {
 public:
  RuleOnTape(Frame& frame, NodeId id)
      : NodeCopy(frame.tape, id),
        Rule(frame.algebra, node_.op, attrs_, frame.tape.operand_count(node_)),
        frame_(frame),
        id_(id) {}
  Term in(int i) override { return frame_.lift(operand(i)); }
  Term out() override { return frame_.lift(id_); }
  Meta in_meta(int i) const override { return frame_.tape.meta(operand(i)); }
  Meta out_meta() const override { return frame_.tape.meta(id_); }
  bool active(int i) const override { return frame_.active(operand(i)); }
  Term tangent(int i) override { return frame_.tangent(operand(i)); }
  void add(int i, Term contribution) override { frame_.add(operand(i), contribution); }
  Term hand_on(Term adjoint, Term slope) override {
    return has_pole(op) ? frame_.hand_on(id_, adjoint, slope) : scale(adjoint, slope);
  }

 private:
  Operand operand(int i) const { return frame_.tape.operand(node_, i); }
  Frame& frame_;
  NodeId id_;
};

inline void Frame::add_item(NodeId item, Term t) {
  RuleOnTape rule(*this, item);
  rules_of(Op::item).adjoint(rule, t);
}

// The partial of an elementwise node with respect to operand i; may be a literal.
inline Term slope_on_tape(Frame& f, const Node& n, NodeId id, int i) {
  const unsigned needs = partial_info(n.op).needs[i];
  const Term none(0.0);
  return known_partial(n.op, i, needs & kNeedsX ? f.lift(n.a) : none,
                       needs & kNeedsY ? f.lift(n.b) : none,
                       needs & kNeedsResult ? f.lift(id) : none);
}

// The slope of a norm written out, 0 at the origin. A power does not keep its result.
inline Term norm_slope(Frame& f, const Node& n, NodeId id) {
  if (n.op == Op::sqrt) return over(Term(0.5), f.lift(id));
  const double c = root_exponent(f.tape, n);
  const Term x = f.lift(n.a);
  if (c == 0.5) return over(Term(c), sqrt(x));
  return select(x == Term(0), Term(0), Term(c) * power(x, Term(c - 1)));
}

// [sum +] scale(seed, partial) of an elementwise node with respect to operand i; values are lifted
// only as the partial reads them.
inline Term pull_on_tape(Frame& f, const Node& n, NodeId id, int i, Term seed,
                         std::optional<Term> sum = {}) {
  if (is_norm(f.tape, n) && f.may_be_zero(n.op == Op::sqrt ? id : n.a)) {
    const Term c = scale(seed, norm_slope(f, n, id));
    return sum ? *sum + c : c;
  }
  const unsigned needs = partial_info(n.op).needs[i];
  const Term none(0.0);
  const Term x = needs & kNeedsX ? f.lift(n.a) : none, y = needs & kNeedsY ? f.lift(n.b) : none;
  const Term r = needs & kNeedsResult ? f.lift(id) : none;
  return sum ? f.algebra.add_pull(*sum, n.op, i, seed, x, y, r)
             : f.algebra.pull(n.op, i, seed, x, y, r);
}
inline bool is_flat(Op op, int i) {  // slope 0 everywhere
  const PartialInfo& info = partial_info(op);
  return info.constant[i] && info.value[i] == 0;
}

inline bool has_no_partial(Op op, int i) {  // an order
  const PartialInfo& info = partial_info(op);
  return info.constant[i] && info.value[i] != info.value[i];
}

// Hands the adjoint `g` of node `id` on to its operands.
inline void adjoint_step(Frame& f, NodeId id, Term g) {
  const Node n = f.tape[id];
  if (n.op == Op::alias) {
    if (f.active(n.a)) f.add(n.a, g);
  } else if (is_elementwise(n.op)) {
    for (int i = 0; i < arity_of(n.op); ++i) {
      const Operand o = i == 0 ? n.a : n.b;
      if (f.active(o) && !is_flat(n.op, i))
        f.add(o, fit(pull_on_tape(f, n, id, i, g), f.tape.meta(o)));
    }
  } else if (kind_of(n.op) == OpKind::structured) {
    RuleOnTape rule(f, id);
    rules_of(n.op).adjoint(rule, g);
  }
}

// The other factor of a product, if it is fixed and may be zero: it leaves operand i out, also
// where the tangent of that is infinite.
inline std::optional<Term> leaving_factor(Frame& f, const Node& n, int i) {
  const Operand factor = i == 0 ? n.b : n.a;
  if (!is_product(n.op) || f.depends(factor)) return {};
  const bool zero = is_constant(factor) ? f.tape.constant(factor) == 0 : f.may_be_zero(factor);
  return zero ? std::optional(f.lift(factor)) : std::nullopt;
}

// The tangent of node `id` from those of its operands; nothing if none is active or all slopes are
// 0.
inline std::optional<Term> tangent_step(Frame& f, NodeId id) {
  const Node n = f.tape[id];
  if (n.op == Op::alias) return f.active(n.a) ? std::optional(f.tangent(n.a)) : std::nullopt;
  if (kind_of(n.op) == OpKind::leaf) return std::nullopt;
  const int arity = f.tape.operand_count(n);
  if (!is_elementwise(n.op)) {
    bool any = false;
    for (int i = 0; i < arity; ++i) any = any || f.active(f.tape.operand(n, i));
    if (!any) return std::nullopt;
    RuleOnTape rule(f, id);
    return rules_of(n.op).tangent(rule);
  }
  const bool may_lose = may_lose_tangent(f.tape, n);
  std::optional<Term> sum;
  for (int i = 0; i < arity; ++i) {
    const Operand o = i == 0 ? n.a : n.b;
    const bool moves = f.active(o) || (may_lose && !has_no_partial(n.op, i) && f.may_vanish(o));
    if (!moves || is_flat(n.op, i)) continue;
    const auto add = [&](Term t) { sum = sum ? *sum + t : t; };
    const bool zero_adjoint_stops = n.op == Op::scale && i == 1;  // also a tangent that is infinite
    if (zero_adjoint_stops) add(scale(f.lift(n.a), f.tangent(o)));
    else if (may_lose && f.loses_tangent(id, i)) add(f.through_pole(id, i));
    else if (!f.active(o)) continue;
    else if (const auto factor = leaving_factor(f, n, i); factor && factor->is_literal()) continue;
    else if (factor)
      add(select(*factor == Term(0), Term(0), pull_on_tape(f, n, id, i, f.tangent(o))));
    else sum = pull_on_tape(f, n, id, i, f.tangent(o), sum);
  }
  if (!sum) return std::nullopt;
  const Meta m = f.tape.meta(id);
  return broadcast_to(cast(*sum, m.dtype), m.shape);
}

}  // namespace tapegrad

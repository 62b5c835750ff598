// Which elements count, and which move.
#include "sweeps/counting.hpp"

#include <algorithm>

#include "ops/matrix.hpp"
#include "ops/scans.hpp"
#include "sweeps/roots.hpp"

namespace tapegrad {
namespace {

// What an op does to counting elements.
enum class Passing {
  each,      // elementwise: an element counts for its operands
  shares,    // elementwise: where the partial is not zero
  converts,  // structured, elementwise in dtype or part
  moves,     // linear with positive coefficients: the adjoint rule, on ones and zeros
  picks,     // the same, and leaves elements out
  sums,      // as a sum over the same axes does
  products,  // of matrices: rows with columns
  mixes,     // all elements depend on all
};

Passing passing_of(Op op) {
  switch (op) {
    case Op::cast:
    case Op::real:
    case Op::imag:
    case Op::conjugate:
    case Op::part_set: return Passing::converts;
    case Op::reshape:
    case Op::transpose:
    case Op::broadcast_to:
    case Op::unslice:
    case Op::concatenate:
    case Op::roll:
    case Op::scatter_add:
    case Op::sum:
    case Op::cumsum:
    case Op::sort: return Passing::moves;
    case Op::where:
    case Op::slice:
    case Op::slice_set:
    case Op::item:
    case Op::item_set:
    case Op::gather:
    case Op::put:
    case Op::max:
    case Op::min: return Passing::picks;
    case Op::prod: return Passing::sums;
    case Op::matmul: return Passing::products;
    default:
      if (is_choice(op)) return Passing::shares;
      return is_elementwise(op) ? Passing::each : Passing::mixes;
  }
}

bool may_be_zero(const Tape& tape, Operand factor) {
  if (is_constant(factor)) return tape.constant(factor) == 0;
  return tape[factor].op != Op::constant || !tape.has_value(factor) || any_zero(tape.value(factor));
}
// Not differentiated. A step of what is, as sign(x), may be at its jump where it is zero.
bool is_fixed(const Frame& f, Operand o) { return !f.depends(o); }
bool leaves_out(const Frame& f, const Node& n) {
  const Passing p = passing_of(n.op);
  if (p == Passing::shares || p == Passing::picks) return true;
  if (n.op == Op::scale && f.active(n.b)) return true;
  const bool product = is_product(n.op) || n.op == Op::matmul;
  return product && ((is_fixed(f, n.a) && may_be_zero(f.tape, n.a)) ||
                     (is_fixed(f, n.b) && may_be_zero(f.tape, n.b)));
}

Term ones(Frame& f, const Meta& m) {
  return broadcast_to(f.algebra.constant(Array::full(m.dtype, {}, 1)), m.shape);
}

Term total(Term t) {  // over all axes
  Dims axes;
  const std::size_t ndim = t.algebra->meta(t).shape.size();
  for (std::size_t d = 0; d < ndim; ++d) axes.push_back(static_cast<std::int64_t>(d));
  return sum(t, axes);
}

// What counts between operand i of an elementwise node and its result.
Term left_in(Frame& f, NodeId id, int i, Term counts) {
  const Node n = f.tape[id];
  if (passing_of(n.op) == Passing::shares)
    return select(slope_on_tape(f, n, id, i) == Term(0), Term(0), counts);
  const Operand factor = i == 0 ? n.b : n.a;
  if (is_product(n.op) && (is_fixed(f, factor) || (n.op == Op::scale && i == 1)))
    return select(f.lift(factor) == Term(0), Term(0), counts);
  return counts;
}

// An element of a product counts for a row of the left and a column of the right factor.
void count_factors(Frame& f, NodeId id, Term g) {
  const Node n = f.tape[id];
  const MatmulShapes s(f.tape.meta(n.a).shape, f.tape.meta(n.b).shape);
  g = reshape(g, s.out);
  const auto add = [&](Operand o, Term t, const Dims& own) {
    const Meta m = f.tape.meta(o);
    f.add(o, reshape(fit(t, {m.dtype, own}), m.shape));
  };
  const auto hand = [&](Operand o, std::int64_t summed, Dims spread, const Dims& own) {
    if (f.active(o)) add(o, broadcast_to(sum(g, Dims{summed}, true), spread), own);
  };
  // Zeros of a factor that is not differentiated leave out what they meet.
  const auto met = [&](Operand factor, const Dims& own) {
    return swap_last_axes(reshape(counted(f.lift(factor)), own));
  };
  if (is_fixed(f, n.b)) return add(n.a, matmul(g, met(n.b, s.b)), s.a);
  if (is_fixed(f, n.a)) return add(n.b, matmul(met(n.a, s.a), g), s.b);
  const Dims batch = leading_axes(s.out, 2);
  const auto rows = static_cast<std::int64_t>(batch.size());  // the axis of the rows
  hand(n.a, rows + 1, with_matrix(batch, s.a[s.a.size() - 2], s.a.back()), s.a);
  hand(n.b, rows, with_matrix(batch, s.b[s.b.size() - 2], s.b.back()), s.b);
}

// Hands on which elements of node `id` count.
void counting_step(Frame& f, NodeId id, Term g) {
  const Node n = f.tape[id];
  const auto add = [&](Operand o, Term t) { f.add(o, fit(t, f.tape.meta(o))); };
  const int arity = f.tape.operand_count(n);
  switch (passing_of(n.op)) {
    case Passing::moves:
    case Passing::picks: {
      if (f.add_part(id, g)) return;
      if (n.op == Op::item && n.has(Node::kScalar)) return f.add_item(id, g);
      RuleOnTape rule(f, id);
      return rules_of(n.op).adjoint(rule, g);
    }
    case Passing::sums: {
      RuleOnTape rule(f, id);
      return rules_of(Op::sum).adjoint(rule, g);
    }
    case Passing::products: return count_factors(f, id, g);
    case Passing::mixes: {
      const Term any = total(g);
      for (int i = 0; i < arity; ++i)
        if (const Operand o = f.tape.operand(n, i); f.active(o))
          add(o, broadcast_to(cast(any, f.tape.meta(o).dtype), f.tape.meta(o).shape));
      return;
    }
    default: break;
  }
  for (int i = 0; i < arity; ++i) {
    const Operand o = f.tape.operand(n, i);
    if (!f.active(o) || (is_elementwise(n.op) && is_flat(n.op, i))) continue;
    const Term t = left_in(f, id, i, g);
    if (!t.is_literal()) add(o, t);
  }
}

}  // namespace

Term counted(Term t) {
  return cast(t.algebra->apply(Op::not_equal, {t, Term(0)}), t.algebra->meta(t).dtype);
}

std::optional<Term> uniform(const Array& counts) {
  const Array ones = evaluate(Op::cast, {counts}, std::array{static_cast<std::int64_t>(DType::b8)});
  if (!any_true(ones)) return Term(0);
  if (!any_zero(ones)) return Term(1);
  return {};
}

CountingPlan::CountingPlan(const Frame& f, NodeId begin, NodeId end,
                           const std::vector<NodeId>& outputs, Counting of_outputs)
    : begin_(begin), of_(end - begin) {
  const Tape& tape = f.tape;
  std::vector<bool> leads(end - begin);  // is made of a pole
  bool any = false;
  const auto each_operand = [&](NodeId id, auto&& visit) {
    const Node& n = tape[id];
    if (n.has(Node::kDetached) || n.op == Op::stop_gradient) return;
    for (int i = 0, count = tape.operand_count(n); i < count; ++i) {
      const Operand o = tape.operand(n, i);
      const bool flat = is_elementwise(n.op) && is_flat(n.op, i);
      if (!flat && o - begin < of_.size()) visit(o - begin);
    }
  };
  for (NodeId id = begin; id < end; ++id) {
    bool leading = may_be_at_pole(tape, tape[id]);
    each_operand(id, [&](NodeId k) { leading = leading || leads[k]; });
    leads[id - begin] = leading;
    any = any || leading;
  }
  if (!any) return;
  for (NodeId o : outputs)
    if (o - begin < of_.size()) of_[o - begin] = of_outputs;
  for (NodeId id = end; id-- > begin;) {
    Counting& own = of_[id - begin];
    if (!leads[id - begin]) own = Counting::none;
    if (own == Counting::none) continue;
    const Counting next = leaves_out(f, tape[id]) ? Counting::some : own;
    each_operand(id, [&](NodeId k) { of_[k] = std::max(of_[k], next); });
    needs_sweep_ = needs_sweep_ || (own == Counting::some && may_be_at_pole(tape, tape[id]));
  }
}

MovingPlan::MovingPlan(const Frame& f, NodeId begin, NodeId end, const std::vector<NodeId>& inputs)
    : begin_(begin), of_(end - begin) {
  for (NodeId i : inputs)
    if (i - begin < of_.size()) of_[i - begin] = Counting::all;
  for (NodeId id = begin; id < end; ++id) {
    const Node& n = f.tape[id];
    const bool leaf = kind_of(n.op) == OpKind::leaf && n.op != Op::alias;
    if (leaf || n.has(Node::kDetached) || of_[id - begin] == Counting::all) continue;
    of_[id - begin] = found(f, n);
    if (needs_sweep_ || !may_lose_tangent(f.tape, n)) continue;
    for (int i = 0; i < arity_of(n.op); ++i)
      needs_sweep_ = needs_sweep_ || of(i == 0 ? n.a : n.b) == Counting::some;
  }
}

Counting MovingPlan::found(const Frame& f, const Node& n) const {
  bool any = false, any_whole = false, every_whole = true;
  for (int i = 0, count = f.tape.operand_count(n); i < count; ++i) {
    const Operand o = f.tape.operand(n, i);
    const bool number = is_constant(o) || is_differentiable(f.tape[o].dtype);
    if (!number || (is_elementwise(n.op) && is_flat(n.op, i))) continue;
    any = any || of(o) != Counting::none;
    any_whole = any_whole || of(o) == Counting::all;
    every_whole = every_whole && of(o) == Counting::all;
  }
  if (!any) return Counting::none;
  const auto whole = [](bool is) { return is ? Counting::all : Counting::some; };
  if (n.op == Op::unslice || n.op == Op::scatter_add) return Counting::some;
  switch (passing_of(n.op)) {
    case Passing::each: return whole(is_product(n.op) ? every_whole : any_whole);
    case Passing::sums:
    case Passing::mixes: return Counting::all;
    case Passing::products: return whole(any_whole);
    default: return whole(every_whole);
  }
}

void counting_sweep(Frame& f, const CountingPlan& plan, const Keep& keep) {
  for (NodeId id = plan.end(); id-- > plan.begin();) {
    const Counting own = plan.of(id);
    const Node n = f.tape[id];
    if (own == Counting::none || !f.active(id)) continue;
    if (kind_of(n.op) == OpKind::leaf && n.op != Op::alias) continue;
    bool asked = false;
    for (int i = 0, count = f.tape.operand_count(n); i < count; ++i)
      asked = asked || plan.of(f.tape.operand(n, i)) == Counting::some;
    std::optional<Term> g;
    if (own == Counting::some) g = f.take(id);
    else if (asked) g = ones(f, f.tape.meta(id));
    if (own == Counting::some && may_be_at_pole(f.tape, n)) keep(id, g ? *g : Term(0));
    if (g && asked) counting_step(f, id, *g);
    f.release();
  }
}

namespace {

// Which elements of a product of matrices move: rows with those of the left factor, columns with
// those of the right one.
Term moved_product(Frame& f, NodeId id) {
  const Node n = f.tape[id];
  const MatmulShapes s(f.tape.meta(n.a).shape, f.tape.meta(n.b).shape);
  const Meta m = f.tape.meta(id);
  std::optional<Term> all;
  const auto part = [&](Operand o, const Dims& own, std::int64_t back) {
    if (!f.active(o)) return;
    const Dims axis{static_cast<std::int64_t>(own.size()) - back};
    const Term t = sum(cast(reshape(f.tangent(o), own), m.dtype), axis, true);
    const Term spread = broadcast_to(t, s.out);
    all = all ? *all + spread : spread;
  };
  part(n.a, s.a, 1);
  part(n.b, s.b, 2);
  return reshape(*all, m.shape);
}

// The elements of node `id` that move; nothing if none does.
std::optional<Term> moving_step(Frame& f, NodeId id) {
  const Node n = f.tape[id];
  const Meta m = f.tape.meta(id);
  if (n.op == Op::alias) return f.active(n.a) ? std::optional(f.tangent(n.a)) : std::nullopt;
  const int arity = f.tape.operand_count(n);
  bool any = false;
  for (int i = 0; i < arity; ++i) any = any || f.active(f.tape.operand(n, i));
  if (!any) return std::nullopt;
  const Passing passing = passing_of(n.op);
  if (passing == Passing::moves || passing == Passing::picks) {
    RuleOnTape rule(f, id);
    return rules_of(n.op).tangent(rule);
  }
  if (passing == Passing::products) return moved_product(f, id);
  std::optional<Term> all;
  for (int i = 0; i < arity; ++i) {
    const Operand o = f.tape.operand(n, i);
    if (!f.active(o) || (is_elementwise(n.op) && is_flat(n.op, i))) continue;
    Term t = f.tangent(o);
    if (passing == Passing::sums) {
      RuleOnTape rule(f, id);
      t = f.algebra.apply(Op::sum, {t}, rule.attrs);
    } else if (passing == Passing::mixes) {
      t = total(t);
    } else {
      t = left_in(f, id, i, t);
      if (t.is_literal()) continue;  // a factor of 0
    }
    t = broadcast_to(cast(t, m.dtype), m.shape);
    all = all ? *all + t : t;
  }
  return all;
}

// The nodes that operands of nodes which may lose a tangent are made of.
std::vector<bool> asked_for(const Tape& tape, NodeId begin, NodeId end) {
  std::vector<bool> asked(end - begin);
  for (NodeId id = end; id-- > begin;) {
    if (!asked[id - begin] && !may_lose_tangent(tape, tape[id])) continue;
    for (int i = 0, count = tape.operand_count(tape[id]); i < count; ++i)
      if (const Operand o = tape.operand(tape[id], i); o - begin < asked.size())
        asked[o - begin] = true;
  }
  return asked;
}

}  // namespace

void moving_sweep(Frame& f, NodeId begin, NodeId end, const Keep& keep) {
  const std::vector<bool> asked = asked_for(f.tape, begin, end);
  for (NodeId id = begin; id < end; ++id) {
    const Node n = f.tape[id];
    if (n.has(Node::kDetached) || (kind_of(n.op) == OpKind::leaf && n.op != Op::alias)) continue;
    if (may_lose_tangent(f.tape, n))
      for (int i = 0; i < arity_of(n.op); ++i)
        if (const Operand o = i == 0 ? n.a : n.b; f.active(o)) keep(o, f.tangent(o));
    if (asked[id - begin] && !f.active(id))
      if (const auto t = moving_step(f, id)) f.set(id, *t);
    f.release();
  }
}

}  // namespace tapegrad

// Poles in sweeps: the steps of nodes that have one, and how sweeps in numbers come to know.
#include "sweeps/poles.hpp"

#include <cmath>

#include "ops/scans.hpp"

namespace tapegrad {
namespace {

// Values of a tape, to look at slopes with.
class ValueFrame final : public NumericFrame {
 public:
  using NumericFrame::NumericFrame;
  bool active(Operand) const override { return true; }
};

// A value that is zero where the root is.
Array root_value(const Tape& tape, const Node& n, NodeId id) {
  return tape.value(n.op == Op::sqrt ? id : n.a);
}

class MovingFrame final : public NumericFrame {
 public:
  MovingFrame(const Tape& tape, NodeId begin, NodeId end, std::int64_t lanes)
      : NumericFrame(tape, lanes), store(tape, begin, end, lanes) {}
  bool depends(Operand o) const override { return store.wants(o); }
  bool active(Operand o) const override { return store.holds(o) && store.has(o); }
  Term tangent(Operand o) override { return numbers.put(store.get(o)); }
  void set(NodeId id, Term t) override { store.set(id, numbers.get(t)); }
  void release() override { numbers.release(0); }

  NumericStore store;
};

class CountingFrame final : public NumericFrame {
 public:
  CountingFrame(const Tape& tape, NodeId begin, NodeId end, std::int64_t lanes)
      : NumericFrame(tape, lanes), store(tape, begin, end, lanes) {}
  bool active(Operand o) const override { return store.wants(o); }
  void add(NodeId id, Term t) override { store.add(id, numbers.get(t)); }
  std::optional<Term> take(NodeId id) override {
    if (!store.has(id)) return {};
    LaneArray v = store.take(id);
    if (tape[id].has(Node::kScalar)) std::fill_n(store.rows.row(id), store.rows.lanes(), 0.0);
    return numbers.put(std::move(v));
  }
  bool add_part(NodeId id, Term t) override {
    const Node& n = tape[id];
    if (!store.pulls_part(n)) return false;
    store.pull_part(n, numbers.get(t).array);
    return true;
  }
  void release() override { numbers.release(0); }

  NumericStore store;
};

}  // namespace

Term past_pole(Term seed, Term slope, Term counts) {
  if (counts.is_literal()) return counts.literal != 0 ? seed * slope : scale(seed, slope);
  return select(counts.algebra->apply(Op::not_equal, {counts, Term(0)}), seed * slope, Term(0));
}

void pole_step(Frame& f, NodeId id, Term g, Term counts) {
  if (counts.is_literal() && counts.literal == 0) return;
  const Node n = f.tape[id];
  for (int i = 0; i < arity_of(n.op); ++i) {
    const Operand o = i == 0 ? n.a : n.b;
    if (!f.active(o) || is_flat(n.op, i)) continue;
    const Term p = is_norm(f.tape, n) ? norm_slope(f, n, id) : slope_on_tape(f, n, id, i);
    f.add(o, fit(past_pole(g, p, counts), f.tape.meta(o)));
  }
}

bool meets_pole(NumericAlgebra& a, Term g, Term slope) {
  if (!any_zero(a.get(g).array)) return false;
  if (slope.is_literal()) return !std::isfinite(slope.literal);
  if (!any_nonfinite(a.get(slope).array)) return false;
  const Term wild = a.apply(Op::logical_not, {a.apply(Op::isfinite, {slope})});
  return any_true(a.get(a.apply(Op::logical_and, {g == Term(0), wild})).array);
}

bool meets_pole(const Tape& tape, NodeId id, int i, const LaneArray& t, std::int64_t lanes) {
  if (!any_zero(t.array)) return false;
  ValueFrame values(tape, lanes);
  return meets_pole(values.numbers, values.numbers.put(t), slope_on_tape(values, tape[id], id, i));
}

bool meets_pole(const Frame& f, NodeId id, const LaneArray& g, std::int64_t lanes) {
  const Node n = f.tape[id];
  if (!is_elementwise(n.op) || !may_be_at_pole(f.tape, n)) return false;
  if (is_norm(f.tape, n) && any_zero(root_value(f.tape, n, id))) return true;
  if (!any_zero(g.array)) return false;
  for (int i = 0; i < arity_of(n.op); ++i)
    if (f.active(i == 0 ? n.a : n.b) && !is_flat(n.op, i) && meets_pole(f.tape, id, i, g, lanes))
      return true;
  return false;
}

void NumericCounts::find() {
  CountingFrame f(tape_, begin_, end_, lanes_);
  std::vector<NodeId> outputs;
  for (const Seed& s : seeds_) {
    if (!f.active(s.node)) continue;
    outputs.push_back(s.node);
    if (lanes_ > 0) f.add(s.node, counted(f.numbers.put({s.value, true})));
    f.release();
  }
  plan_.emplace(f, begin_, end_, outputs, lanes_ > 0 ? Counting::some : Counting::all);
  counting_sweep(f, *plan_, [&](NodeId id, Term t) {
    if (!t.is_literal()) found_[id] = f.numbers.get(t);
  });
}

Term NumericCounts::of(NodeId id, NumericAlgebra& numbers) {
  if (!plan_) find();
  if (plan_->of(id) == Counting::all) return Term(1);
  const auto found = found_.find(id);
  return found == found_.end() ? Term(0) : numbers.put(found->second);
}

void NumericMoves::find() {
  found_.emplace();
  MovingFrame f(tape_, begin_, end_, lanes_);
  for (const Seed& s : seeds_) f.set(s.node, counted(f.numbers.put({s.value, lanes_ > 0})));
  f.release();
  moving_sweep(f, begin_, end_, [&](NodeId o, Term t) { (*found_)[o] = f.numbers.get(t); });
}

Term NumericMoves::of(NodeId id, Operand o, NumericAlgebra& numbers) {
  if (!kept_) kept_.emplace(tape_, begin_, end_);
  if (kept_->at(id, o)) return Term(0);
  if (!found_) find();
  const auto found = found_->find(o);
  return found == found_->end() ? Term(0) : numbers.put(found->second);
}

}  // namespace tapegrad

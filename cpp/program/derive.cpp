// Sweeps in the algebra of a builder, or of lanes over it: derivatives of a recording, appended to
// a copy of it. In K directions what is being differentiated stays as it is; only tangents and
// adjoints carry the lanes.
#include <algorithm>
#include <unordered_map>

#include "ops/parts.hpp"
#include "ops/scans.hpp"
#include "program/rewrite.hpp"
#include "sweeps/poles.hpp"

namespace tapegrad {
namespace {

// Tangents or adjoints of the nodes of a tape under construction, as terms.
class SymbolicFrame : public Frame {
 public:
  explicit SymbolicFrame(Rewrite& copy)
      : Frame(copy.builder.tape, copy.algebra),
        builder(copy.builder),
        lanes(copy.lanes ? &*copy.lanes : nullptr),
        end(copy.builder.tape.size()),
        depends_(end),
        found_(end) {}

  Term lift(Operand o) override {
    return is_constant(o) ? Term(tape.constant(o)) : Term(&algebra, o);
  }
  bool depends(Operand o) const override { return o < end && depends_[o]; }
  bool active(Operand o) const override { return depends(o) && (!forward || has(o)); }
  Term tangent(Operand o) override { return found_[o]; }
  void add(NodeId id, Term t) override {
    if (t.is_literal()) {
      const Meta m = tape.meta(id);
      t = broadcast_to(algebra.constant(Array::full(m.dtype, {}, t.literal)), m.shape);
    }
    found_[id] = has(id) ? found_[id] + t : t;
  }
  // Elements of an array are gathered until its adjoint is read.
  void add_item(NodeId item, Term t) override {
    const Node& n = tape[item];
    if (active(n.a)) items_[n.a].push_back({n.attr, t});
  }
  bool has(NodeId id) const { return found_[id].algebra != nullptr; }
  std::optional<Term> take(NodeId id) override {
    if (const auto items = items_.find(id); items != items_.end()) {
      const Term all = scattered(tape.meta(id).shape, items->second);
      items_.erase(items);
      found_[id] = has(id) ? found_[id] + all : all;
    }
    if (!has(id)) return {};
    return std::exchange(found_[id], Term());
  }
  void set(NodeId id, Term t) override { found_[id] = t; }
  Term hand_on(NodeId id, Term g, Term slope) override { return past_pole(g, slope, counts(id)); }
  bool loses_tangent(NodeId, int) override { return true; }  // no number is known
  bool may_be_zero(NodeId id) override {
    return tape[id].op != Op::constant || any_zero(tape.value(id));
  }
  Term through_pole(NodeId id, int i) override {
    const Node n = tape[id];
    const Operand o = i == 0 ? n.a : n.b;
    return past_pole(tangent(o), slope_on_tape(*this, n, id, i), moves(id, o));
  }
  Term collected(NodeId id) {
    if (auto t = take(id)) {
      found_[id] = *t;
      return *t;
    }
    const Meta m = tape.meta(id);
    return broadcast_to(algebra.constant(Array::zeros(m.dtype, {})), m.shape);
  }
  // The node of a result, with the lanes in front if there are any.
  Operand result(Term t) { return builder.operand(lanes ? lanes->spread(t) : t); }

  void mark_from(const std::vector<NodeId>& inputs) {
    for (NodeId i : inputs) depends_[i] = true;
    for (NodeId id = 0; id < end; ++id) {
      const Node& n = tape[id];
      if (!is_differentiable(n.dtype) || n.op == Op::stop_gradient) continue;
      for (int i = 0, count = tape.operand_count(n); i < count && !depends_[id]; ++i) {
        const Operand o = tape.operand(n, i);
        depends_[id] = !is_constant(o) && depends_[o];
      }
    }
  }

  Builder& builder;
  LaneAlgebra* const lanes;
  const NodeId end;
  bool forward = false;
  std::function<Term(NodeId)> counts;          // which elements of a node count
  std::function<Term(NodeId, Operand)> moves;  // which elements of an operand move

 private:
  Term scattered(const Dims& shape, std::vector<std::pair<std::int64_t, Term>>& elements) {
    if (!lanes) return builder.scattered(shape, elements);
    bool any = false;
    for (auto& [index, value] : elements) any = any || lanes->is_batched(value);
    if (any) return lanes->scattered(shape, std::move(elements));
    for (auto& [index, value] : elements) value = lanes->below(value);
    return lanes->same(builder.scattered(shape, elements));
  }

  std::vector<bool> depends_;
  std::vector<Term> found_;
  std::unordered_map<NodeId, std::vector<std::pair<std::int64_t, Term>>> items_;
};

// Counts in the place of adjoints. Mostly constants: what slices and indices read of an array is
// added up as numbers, at the cost of the parts.
class CountingFrame final : public SymbolicFrame {
 public:
  explicit CountingFrame(Rewrite& copy) : SymbolicFrame(copy), copy_(copy) {}

  bool add_part(NodeId id, Term t) override {
    const Node n = tape[id];
    const auto accumulate = rules_of(n.op).accumulate;
    const Operand base = tape.operand(n, 0);
    if (!accumulate || !active(base)) return false;
    const std::optional<Array> g = number(t);
    if (!g) return false;
    std::vector<Array> rest;
    if (n.op == Op::gather) {
      const Operand index = tape.operand(n, 1);
      if (is_constant(index) || tape[index].op != Op::constant) return false;
      rest.push_back(tape.value(index));
    }
    const Meta m = tape.meta(base);
    Array& sum = parts_[base];
    if (!sum) sum = Array::zeros(m.dtype, m.shape);
    std::int64_t immediate = 0;
    accumulate(sum, *g, rest, tape.attrs(n, immediate));
    return true;
  }
  std::optional<Term> take(NodeId id) override {
    if (const auto part = parts_.find(id); part != parts_.end()) {
      add(id, algebra.constant(part->second));
      parts_.erase(part);
    }
    return SymbolicFrame::take(id);
  }

 private:
  std::optional<Array> number(Term t) {
    if (t.is_literal() || copy_.is_batched(t)) return {};
    const Operand o = copy_.operand(t);
    if (is_constant(o) || tape[o].op != Op::constant) return {};
    return tape.value(o);
  }

  Rewrite& copy_;
  std::unordered_map<NodeId, Array> parts_;
};

// Scalars on float64 need no fitting to shapes and dtypes.
void scalar_step(SymbolicFrame& f, NodeId id, Term g) {
  const Node n = f.tape[id];
  for (int i = 0; i < arity_of(n.op); ++i) {
    const Operand o = i == 0 ? n.a : n.b;
    if (!f.active(o) || is_flat(n.op, i)) continue;
    f.add(o, pull_on_tape(f, n, id, i, g));
  }
}

using KnownCounts = std::unordered_map<NodeId, Term>;

// A literal where a term is a constant that says so.
Term settled(Rewrite& copy, Term t) {
  if (t.is_literal()) return t;
  const Operand o = copy.operand(t);
  if (is_constant(o)) return Term(copy.builder.tape.constant(o));
  if (copy.builder.tape[o].op != Op::constant) return t;
  return uniform(copy.builder.tape.value(o)).value_or(t);
}

// Most of what a counting sweep made, from node `first` on, are constants that nobody reads.
void lighten(Rewrite& copy, const KnownCounts& found, NodeId first) {
  Tape& tape = copy.builder.tape;
  if (std::all_of(found.begin(), found.end(), [](auto& c) { return c.second.is_literal(); }))
    return copy.builder.truncate(first);
  std::vector<bool> read(tape.size());
  for (const auto& [node, t] : found)
    if (!t.is_literal()) read[copy.operand(t)] = true;
  for (NodeId id = first; id < tape.size(); ++id)
    for (int i = 0, count = tape.operand_count(tape[id]); i < count; ++i)
      if (const Operand o = tape.operand(tape[id], i); !is_constant(o)) read[o] = true;
  for (NodeId id = first; id < tape.size(); ++id) {
    const Meta m = tape.meta(id);
    if (tape[id].op == Op::constant && !read[id])
      tape.keep(id, broadcast_view(Array::zeros(m.dtype, {}), m.shape));
  }
}

// Which elements of the nodes with poles count, given which elements of the outputs do (nothing:
// all).
class Counts {
 public:
  Counts(Rewrite& copy, const std::vector<NodeId>& inputs, const std::vector<Operand>& outputs,
         const std::vector<Term>* of_outputs) {
    CountingFrame f(copy);
    f.mark_from(inputs);
    std::vector<NodeId> nodes;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      if (is_constant(outputs[k])) continue;
      nodes.push_back(outputs[k]);
      if (of_outputs) f.add(outputs[k], counted((*of_outputs)[k]));
    }
    plan_.emplace(f, 0, f.end, nodes, of_outputs ? Counting::some : Counting::all);
    if (plan_->needs_sweep())
      counting_sweep(f, *plan_, [&](NodeId id, Term t) { found_[id] = settled(copy, t); });
    lighten(copy, found_, f.end);
  }
  Term of(NodeId id) const {
    if (plan_->of(id) == Counting::all) return Term(1);
    const auto found = found_.find(id);
    return found == found_.end() ? Term(0) : found->second;
  }

 private:
  std::optional<CountingPlan> plan_;
  KnownCounts found_;
};

// Which elements move with the inputs, of the operands of nodes that may lose a tangent. `seeds`:
// in several directions; in one direction all elements of the inputs move.
class Moves {
 public:
  Moves(Rewrite& copy, const std::vector<NodeId>& inputs, const std::vector<Term>* seeds)
      : kept_(copy.builder.tape, 0, copy.builder.tape.size()) {
    SymbolicFrame f(copy);
    f.mark_from(inputs);
    f.forward = true;
    if (!seeds) plan_.emplace(f, 0, f.end, inputs);
    if (plan_ && !plan_->needs_sweep()) return;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const Meta m = f.tape.meta(inputs[k]);
      f.set(inputs[k],
            seeds ? counted((*seeds)[k]) : f.algebra.constant(Array::full(m.dtype, m.shape, 1)));
    }
    moving_sweep(f, 0, f.end, [&](NodeId o, Term t) { found_[o] = settled(copy, t); });
    lighten(copy, found_, f.end);
  }
  Term of(NodeId id, Operand o) const {
    if (kept_.at(id, o)) return Term(0);
    if (plan_ && plan_->of(o) == Counting::all) return Term(1);
    const auto found = found_.find(o);
    return found == found_.end() ? Term(0) : found->second;
  }

 private:
  KeptTangents kept_;
  std::optional<MovingPlan> plan_;
  KnownCounts found_;
};

void symbolic_adjoint(SymbolicFrame& f, const std::vector<std::uint32_t>& lines) {
  for (NodeId id = f.end; id-- > 0;) {
    if (kind_of(f.tape[id].op) == OpKind::leaf && f.tape[id].op != Op::alias) continue;
    if (!f.active(id)) continue;
    const auto g = f.take(id);
    if (!g) continue;
    f.builder.at_line(lines[id]);
    const Node n = f.tape[id];
    if (is_elementwise(n.op) && may_be_at_pole(f.tape, n)) pole_step(f, id, *g, f.counts(id));
    else if (n.has(Node::kFastPath)) scalar_step(f, id, *g);
    else if (n.op == Op::item && n.has(Node::kScalar)) f.add_item(id, *g);
    else adjoint_step(f, id, *g);
  }
}

void symbolic_tangent(SymbolicFrame& f, const std::vector<std::uint32_t>& lines) {
  f.forward = true;
  for (NodeId id = 0; id < f.end; ++id) {
    const Node& n = f.tape[id];
    if (f.has(id) || (kind_of(n.op) == OpKind::leaf && n.op != Op::alias)) continue;
    if (!is_differentiable(n.dtype)) continue;
    f.builder.at_line(lines[id]);
    if (const auto t = tangent_step(f, id)) f.set(id, *t);
  }
}

std::vector<NodeId> chosen(const Recording& r, const std::vector<std::size_t>& wrt) {
  std::vector<NodeId> nodes;
  for (std::size_t k : wrt) nodes.push_back(r.inputs[k]);
  return nodes;
}

// Rows `first` on of the identity, in the shape of what is seeded: of K = `count` unit seeds those
// that belong to it.
Array unit_seed(const Meta& m, std::int64_t first, std::int64_t count) {
  const std::int64_t size = m.shape.product();
  Dims shape = m.shape;
  shape.insert(0, count);
  const Array seed = Array::zeros(m.dtype, shape);
  dispatch(m.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < size; ++i) seed.at<T>((first + i) * size + i) = T(1);
  });
  return seed;
}

// The seeds of nodes: further inputs of the recording, or the identity as constants.
std::vector<Term> seeds_for(Rewrite& copy, const std::vector<Meta>& metas, const Derivation& what) {
  std::vector<Term> seeds;
  std::int64_t first = 0;
  for (const Meta& m : metas) {
    if (!what.identity) {
      seeds.push_back(copy.input(m, what.directions > 0));
      continue;
    }
    const Array unit = unit_seed(m, first, what.directions);
    seeds.push_back(copy.lanes->batched(copy.builder.constant(unit)));
    first += m.shape.product();
  }
  return seeds;
}

Meta meta_of(const Recording& r, Operand o) {
  return is_constant(o) ? Meta{DType::f64, {}} : r.tape.meta(o);
}

// Guards and outputs of the source.
void carry_over(const Recording& source, Rewrite& copy) {
  for (auto& g : source.guards)
    copy.made->guards.push_back({copy.operand(copy.of(g.node)), g.expected, g.line});
  for (Operand o : source.outputs) copy.made->outputs.push_back(copy.operand(copy.of(o)));
}

void require_identity(const std::vector<Meta>& metas, const Derivation& what) {
  std::int64_t count = 0;
  for (const Meta& m : metas) count += m.shape.product();
  require(!what.identity || metas.empty() || (count == what.directions && count > 0),
          "as many directions as there are numbers");
}

std::unique_ptr<Recording> reverse(const Recording& source, const Derivation& what,
                                   const Passes& passes, bool unit) {
  Rewrite copy(source, passes, what.directions);
  carry_over(source, copy);
  Recording& made = *copy.made;
  const std::vector<NodeId> inputs = chosen(made, what.wrt);
  const std::vector<Operand> outputs = made.outputs;
  std::vector<Term> seeds;
  if (unit && !outputs.empty()) {  // the result of a branch may be no node at all
    seeds.push_back(copy.algebra.constant(Array::full(meta_of(made, outputs[0]).dtype, {}, 1)));
  } else {
    std::vector<Meta> metas;
    for (Operand o : outputs) metas.push_back(meta_of(made, o));
    require_identity(metas, what);
    seeds = seeds_for(copy, metas, what);
  }
  SymbolicFrame frame(copy);
  frame.mark_from(inputs);
  for (std::size_t k = 0; k < seeds.size(); ++k)
    if (!is_constant(outputs[k])) frame.add(outputs[k], seeds[k]);
  const std::vector<std::uint32_t> lines = copy.builder.lines();
  const Counts counts(copy, inputs, outputs, what.directions > 0 ? &seeds : nullptr);
  frame.counts = [&](NodeId id) { return counts.of(id); };
  symbolic_adjoint(frame, lines);
  for (NodeId i : inputs) made.outputs.push_back(frame.result(frame.collected(i)));
  return copy.finish();
}

}  // namespace

std::unique_ptr<Recording> simplified(const Recording& source, const Passes& passes) {
  Rewrite copy(source, passes);
  carry_over(source, copy);
  return copy.finish();
}

std::unique_ptr<Recording> adjoint_of(const Recording& source, const Derivation& what,
                                      const Passes& passes) {
  return reverse(source, what, passes, false);
}

std::unique_ptr<Recording> gradient_of(const Recording& source, const Derivation& what,
                                       const Passes& passes) {
  return reverse(source, {what.wrt}, passes, true);
}

std::unique_ptr<Recording> tangent_of(const Recording& source, const Derivation& what,
                                      const Passes& passes) {
  Rewrite copy(source, passes, what.directions);
  carry_over(source, copy);
  Recording& made = *copy.made;
  const std::vector<NodeId> inputs = chosen(made, what.wrt);
  std::vector<Meta> metas;
  for (NodeId i : inputs) metas.push_back(made.tape.meta(i));
  require_identity(metas, what);
  const std::vector<Term> tangents = seeds_for(copy, metas, what);
  SymbolicFrame frame(copy);
  frame.mark_from(inputs);
  for (std::size_t k = 0; k < inputs.size(); ++k) frame.set(inputs[k], tangents[k]);
  const Moves moves(copy, inputs, what.directions > 0 ? &tangents : nullptr);
  frame.moves = [&](NodeId id, Operand o) { return moves.of(id, o); };
  const std::vector<std::uint32_t> lines = copy.builder.lines();
  symbolic_tangent(frame, lines);
  const std::size_t count = made.outputs.size();
  for (std::size_t k = 0; k < count; ++k) {
    const Operand o = made.outputs[k];
    const Term t = is_constant(o) ? copy.algebra.constant(Array::scalar(0.0)) : frame.collected(o);
    made.outputs.push_back(frame.result(t));
  }
  return copy.finish();
}

}  // namespace tapegrad

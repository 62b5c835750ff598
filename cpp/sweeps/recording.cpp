// Sweeps in the algebra of nodes.
#include "sweeps/recording.hpp"

#include <optional>

#include "ops/scans.hpp"
#include "sweeps/lanes.hpp"
#include "sweeps/poles.hpp"

namespace tapegrad {

Operand constant_operand(Tape& tape, Op op, const Array& value) {
  const bool weak = is_elementwise(op) || op == Op::where || op == Op::item_set;
  if (weak && value.dtype() == DType::f64 && value.ndim() == 0)
    return tape.add_constant(value.at<double>());
  return tape.add_leaf(Op::constant, value);
}

Recorded RecordingAlgebra::get(Term t) const {
  if (t.is_literal()) return {kNoOperand, Array::scalar(t.literal)};
  const Entry& e = pool_[t.id];
  return {e.active ? e.recorded.operand : kNoOperand, e.recorded.value};
}

Operand RecordingAlgebra::operand_of(Op op, Term t) {
  if (t.is_literal()) return target_.add_constant(t.literal);
  Entry& e = pool_[t.id];
  if (e.recorded.operand == kNoOperand)
    e.recorded.operand = constant_operand(target_, op, e.recorded.value);
  return e.recorded.operand;
}

Term RecordingAlgebra::apply(Op op, std::span<const Term> in, Attrs attrs) {
  DType weak = DType::b8;
  bool active = false;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].is_literal()) continue;
    active = active || pool_[in[i].id].active;
    if (op != Op::where || i > 0) weak = promote(weak, pool_[in[i].id].recorded.value.dtype());
  }
  if (!is_differentiable(weak)) weak = DType::f64;
  std::vector<Array> values(in.size());
  for (std::size_t i = 0; i < in.size(); ++i)
    values[i] =
        in[i].is_literal() ? Array::full(weak, {}, in[i].literal) : pool_[in[i].id].recorded.value;
  std::vector<Array> operands = values;  // evaluate may convert or give up its handles
  Array out = evaluate(op, operands, attrs);
  const bool recorded = is_differentiable(out.dtype()) || target_.is_program();
  if (!active || !recorded) return put({kNoOperand, out});
  std::vector<Operand> ids(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) ids[i] = operand_of(op, in[i]);
  return put({target_.add(op, ids, values, attrs, out), out});
}

namespace {

// The algebras of a recorded sweep: nodes, and many directions of them.
struct Recorder {
  Recorder(Tape& target, std::int64_t count) : nodes(target) {
    if (count > 0) lanes.emplace(nodes, count);
  }
  RecordingAlgebra nodes;
  std::optional<LaneAlgebra> lanes;
};

// Lifts values and keeps adjoints or tangents as recorded values, one a node of the segment.
class RecordingFrame final : private Recorder, public Frame {
 public:
  RecordingFrame(const Tape& source, Tape& target, NodeId begin, NodeId end, std::int64_t count)
      : Recorder(target, count),
        Frame(source, lanes ? static_cast<Algebra&>(*lanes) : nodes),
        same_(&source == &target),
        program_(target.is_program()),
        begin_(begin),
        found_(end - begin),
        depends_(end - begin) {}

  Term lift(Operand o) override {
    if (is_constant(o)) return Term(tape.constant(o));
    if (same_ && tape[o].op != Op::constant) return shared(nodes.put({o, tape.value(o)}));
    const bool there = same_ && tape.is_program();  // constants are nodes with values
    return shared(nodes.put_constant({there ? o : kNoOperand, tape.value(o)}));
  }
  bool holds(Operand o) const { return o - begin_ < found_.size(); }
  bool depends(Operand o) const override { return holds(o) && depends_[o - begin_]; }
  bool active(Operand o) const override { return depends(o) && (!forward || has(o)); }
  Term tangent(Operand o) override { return term(o); }
  void add(NodeId id, Term t) override {
    if (t.is_literal())
      t = algebra.constant(Array::full(tape.meta(id).dtype, tape.meta(id).shape, t.literal));
    set(id, has(id) ? term(id) + t : t);
  }
  bool has(NodeId id) const { return static_cast<bool>(found_[id - begin_].value.value); }
  // A result of a step, kept beyond it.
  struct Found {
    Recorded value;
    bool batched = false;
  };
  Found found(Term t) {
    const bool batched = lanes && lanes->is_batched(t);
    return {nodes.get(lanes ? lanes->below(t) : t), batched};
  }
  Term term_of(const Found& f) {
    const Term t = nodes.put(f.value);
    return f.batched ? lanes->batched(t) : shared(t);
  }
  LaneArray value(Term t) {
    const Found f = found(t);
    return {f.value.value, f.batched};
  }
  // The tangent or adjoint of a node of the segment, as a term of the step at hand.
  Term term(NodeId id) { return term_of(found_[id - begin_]); }
  std::optional<Term> take(NodeId id) override {
    if (!has(id)) return {};
    const Term t = term(id);
    found_[id - begin_] = {};
    return t;
  }
  void set(NodeId id, Term t) override { found_[id - begin_] = found(t); }
  void seed(const RecordedSeed& s) {
    if (holds(s.node)) add(s.node, seeded(s));
  }
  // Whether the step of a node with adjoint g is `pole_step`: in a program always at a pole, else
  // where a zero meets one.
  bool asks_at_pole(NodeId id, Term g) {
    if (!is_elementwise(tape[id].op) || !may_be_at_pole(tape, tape[id])) return false;
    return program_ || meets_pole(*this, id, value(g), lane_count());
  }
  void count(const RecordedSeed& s) {  // which elements are seeded
    if (holds(s.node)) add(s.node, counted(seeded(s)));
  }
  void count_all(const RecordedSeed& s) {
    if (holds(s.node)) add(s.node, Term(1));
  }
  void release() override { nodes.release(0); }
  std::vector<Recorded> collect(const std::vector<NodeId>& wanted) {
    std::vector<Recorded> results;
    for (NodeId id : wanted) {
      const Meta m = tape.meta(id);
      const Term t =
          holds(id) && has(id) ? term(id) : algebra.constant(Array::zeros(m.dtype, m.shape));
      results.push_back(nodes.get(lanes ? lanes->spread(t) : t));
    }
    return results;
  }

  // Marks what depends on the chosen inputs; a nested segment holds nodes that do not.
  void mark_from(const std::vector<NodeId>& inputs) {
    for (NodeId i : inputs)
      if (holds(i)) depends_[i - begin_] = true;
    for (std::size_t k = 0; k < depends_.size(); ++k) {
      const Node& n = tape[begin_ + static_cast<NodeId>(k)];
      if (n.has(Node::kDetached)) continue;
      for (int i = 0, count = tape.operand_count(n); i < count && !depends_[k]; ++i) {
        const Operand o = tape.operand(n, i);
        if (holds(o) && depends_[o - begin_]) depends_[k] = true;
      }
    }
  }

  bool loses_tangent(NodeId id, int i) override {
    const Operand o = i == 0 ? tape[id].a : tape[id].b;
    return program_ || meets_pole(tape, id, i, value(tangent(o)), lane_count());
  }
  Term through_pole(NodeId id, int i) override {
    const Node n = tape[id];
    const Operand o = i == 0 ? n.a : n.b;
    return past_pole(tangent(o), slope_on_tape(*this, n, id, i), moves(id, o));
  }
  Term hand_on(NodeId id, Term g, Term slope) override {
    NumericAlgebra numbers(lane_count());
    if (!program_ && !meets_pole(numbers, numbers.put(value(g)), numbers.put(value(slope))))
      return scale(g, slope);
    return past_pole(g, slope, counts(id));
  }
  bool may_be_zero(NodeId id) override { return program_ || any_zero(tape.value(id)); }

  bool forward = false;
  std::function<Term(NodeId, Operand)> moves;  // which elements of an operand move
  std::function<Term(NodeId)> counts;          // which elements of a node count

 private:
  std::int64_t lane_count() const { return lanes ? lanes->lanes() : 0; }
  Term seeded(const RecordedSeed& s) {
    const Term t = nodes.put(s.value);
    return lanes ? lanes->batched(t) : t;
  }
  Term shared(Term t) { return lanes ? lanes->same(t) : t; }

  bool same_, program_;
  NodeId begin_;
  std::vector<Found> found_;
  std::vector<bool> depends_;
};

// Which elements count. In a program that is found before its numbers are known, wherever a node
// has a pole; on another tape when a zero adjoint meets one.
class RecordedCounts {
 public:
  RecordedCounts(const Tape& source, Tape& target, NodeId begin, NodeId end,
                 const std::vector<RecordedSeed>& seeds, const std::vector<NodeId>& inputs,
                 std::int64_t lanes)
      : seeds_(seeds),
        inputs_(inputs),
        begin_(begin),
        end_(end),
        lanes_(lanes),
        frame_(source, target, begin, end, lanes) {}
  Term of(NodeId id, RecordingFrame& f) {
    if (!plan_) find();
    if (plan_->of(id) == Counting::all) return Term(1);
    const auto entry = found_.find(id);
    return entry == found_.end() ? Term(0) : f.term_of(entry->second);
  }

 private:
  void find() {
    frame_.mark_from(inputs_);
    std::vector<NodeId> outputs;
    for (auto& s : seeds_) outputs.push_back(s.node);
    plan_.emplace(frame_, begin_, end_, outputs, lanes_ > 0 ? Counting::some : Counting::all);
    if (!plan_->needs_sweep()) return;
    for (auto& s : seeds_)
      if (lanes_ > 0) frame_.count(s);
    counting_sweep(frame_, *plan_, [&](NodeId id, Term t) {
      if (!t.is_literal()) found_[id] = frame_.found(t);
    });
  }

  const std::vector<RecordedSeed>& seeds_;
  const std::vector<NodeId>& inputs_;
  const NodeId begin_, end_;
  const std::int64_t lanes_;
  RecordingFrame frame_;
  std::optional<CountingPlan> plan_;
  std::unordered_map<NodeId, RecordingFrame::Found> found_;
};

// Which elements move, found when a zero tangent meets an infinite slope; in a program in one
// direction all elements of the inputs do.
class RecordedMoves {
 public:
  RecordedMoves(const Tape& source, Tape& target, NodeId begin, NodeId end,
                const std::vector<RecordedSeed>& seeds, std::int64_t lanes)
      : seeds_(seeds),
        begin_(begin),
        end_(end),
        all_(target.is_program() && lanes == 0),
        kept_(source, begin, end),
        frame_(source, target, begin, end, lanes) {}
  Term of(NodeId id, Operand o, RecordingFrame& f) {
    if (kept_.at(id, o)) return Term(0);
    if (!found_) find();
    if (plan_ && plan_->of(o) == Counting::all) return Term(1);
    const auto entry = found_->find(o);
    return entry == found_->end() ? Term(0) : f.term_of(entry->second);
  }

 private:
  void find() {
    found_.emplace();
    frame_.forward = true;
    std::vector<NodeId> inputs;
    for (auto& s : seeds_) {
      inputs.push_back(s.node);
      if (all_) frame_.count_all(s);
      else frame_.count(s);
      frame_.release();
    }
    frame_.mark_from(inputs);
    if (all_) plan_.emplace(frame_, begin_, end_, inputs);
    if (plan_ && !plan_->needs_sweep()) return;
    moving_sweep(frame_, begin_, end_, [&](NodeId o, Term t) { (*found_)[o] = frame_.found(t); });
  }

  const std::vector<RecordedSeed>& seeds_;
  const NodeId begin_, end_;
  const bool all_;
  const KeptTangents kept_;
  RecordingFrame frame_;
  std::optional<MovingPlan> plan_;
  std::optional<std::unordered_map<NodeId, RecordingFrame::Found>> found_;
};

NodeId end_after(NodeId begin, const std::vector<RecordedSeed>& seeds,
                 const std::vector<NodeId>& nodes) {
  NodeId end = begin;
  for (auto& s : seeds) end = std::max(end, s.node + 1);
  for (NodeId n : nodes) end = std::max(end, n + 1);
  return end;
}

// The nodes of the segment that the outputs are made of.
std::vector<bool> leading_to(const std::vector<NodeId>& outputs, const Tape& tape, NodeId begin,
                             NodeId end) {
  std::vector<bool> used(end - begin);
  for (NodeId o : outputs)
    if (o >= begin) used[o - begin] = true;
  for (NodeId id = end; id-- > begin;) {
    if (!used[id - begin]) continue;
    for (int i = 0, count = tape.operand_count(tape[id]); i < count; ++i) {
      const Operand o = tape.operand(tape[id], i);
      if (!is_constant(o) && o >= begin) used[o - begin] = true;
    }
  }
  return used;
}

}  // namespace

std::vector<Recorded> recorded_adjoint_sweep(const Tape& source, Tape& target, NodeId begin,
                                             const std::vector<RecordedSeed>& seeds,
                                             const std::vector<NodeId>& inputs,
                                             std::int64_t lanes) {
  const NodeId end = end_after(begin, seeds, inputs);
  RecordingFrame frame(source, target, begin, end, lanes);
  frame.mark_from(inputs);
  for (auto& s : seeds) frame.seed(s);
  std::vector<bool> is_input(end - begin);
  for (NodeId i : inputs)
    if (frame.holds(i)) is_input[i - begin] = true;
  RecordedCounts counts(source, target, begin, end, seeds, inputs, lanes);
  frame.counts = [&](NodeId id) { return counts.of(id, frame); };
  for (NodeId id = end; id-- > begin;) {
    if (is_input[id - begin] || !frame.active(id)) continue;
    if (const auto g = frame.take(id)) {
      if (frame.asks_at_pole(id, *g)) pole_step(frame, id, *g, frame.counts(id));
      else adjoint_step(frame, id, *g);
    }
    frame.release();
  }
  return frame.collect(inputs);
}

std::vector<Recorded> recorded_tangent_sweep(const Tape& source, Tape& target, NodeId begin,
                                             const std::vector<RecordedSeed>& seeds,
                                             const std::vector<NodeId>& outputs,
                                             std::int64_t lanes) {
  const NodeId end = end_after(begin, seeds, outputs);
  RecordingFrame frame(source, target, begin, end, lanes);
  frame.forward = true;
  std::vector<NodeId> inputs;
  for (auto& s : seeds) {
    inputs.push_back(s.node);
    frame.seed(s);
  }
  frame.mark_from(inputs);
  RecordedMoves moves(source, target, begin, end, seeds, lanes);
  frame.moves = [&](NodeId id, Operand o) { return moves.of(id, o, frame); };
  const std::vector<bool> used = leading_to(outputs, source, begin, end);
  for (NodeId id = begin; id < end; ++id) {
    if (!used[id - begin] || frame.has(id) || frame.tape[id].has(Node::kDetached)) continue;
    if (const auto t = tangent_step(frame, id)) frame.set(id, *t);
    frame.release();
  }
  return frame.collect(outputs);
}

}  // namespace tapegrad

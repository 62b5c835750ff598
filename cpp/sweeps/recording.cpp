// Sweeps in the algebra of nodes.
#include "sweeps/recording.hpp"

#include "sweeps/rule_on_tape.hpp"

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
  if (!active || (out.dtype() == DType::b8 && !target_.is_program())) return put({kNoOperand, out});
  std::vector<Operand> ids(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) ids[i] = operand_of(op, in[i]);
  return put({target_.add(op, ids, values, attrs, out), out});
}

namespace {

// Lifts values and keeps adjoints or tangents as recorded values, one a node of the segment.
class RecordingFrame final : public Frame {
 public:
  RecordingFrame(const Tape& source, Tape& target, NodeId begin, NodeId end)
      : Frame(source, nodes),
        nodes(target),
        same_(&source == &target),
        begin_(begin),
        found_(end - begin),
        depends_(end - begin) {}

  Term lift(Operand o) override {
    if (is_constant(o)) return Term(tape.constant(o));
    if (same_ && tape[o].op != Op::constant) return nodes.put({o, tape.value(o)});
    const bool there = same_ && tape.is_program();  // constants are nodes with values
    return nodes.put_constant({there ? o : kNoOperand, tape.value(o)});
  }
  bool holds(Operand o) const { return o - begin_ < found_.size(); }
  bool active(Operand o) const override {
    return holds(o) && depends_[o - begin_] && (!forward || found_[o - begin_].value);
  }
  Term tangent(Operand o) override { return nodes.put(found_[o - begin_]); }
  void add(NodeId id, Term t) override {
    Recorded& r = found_[id - begin_];
    if (t.is_literal())
      t = nodes.constant(Array::full(tape.meta(id).dtype, tape.meta(id).shape, t.literal));
    r = nodes.get(r.value ? nodes.put(r) + t : t);
  }
  Recorded& found(NodeId id) { return found_[id - begin_]; }

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

  RecordingAlgebra nodes;
  bool forward = false;

 private:
  bool same_;
  NodeId begin_;
  std::vector<Recorded> found_;
  std::vector<bool> depends_;
};

NodeId end_after(NodeId begin, const std::vector<RecordedSeed>& seeds,
                 const std::vector<NodeId>& nodes) {
  NodeId end = begin;
  for (auto& s : seeds) end = std::max(end, s.node + 1);
  for (NodeId n : nodes) end = std::max(end, n + 1);
  return end;
}

std::vector<Recorded> collect(RecordingFrame& frame, const std::vector<NodeId>& nodes) {
  std::vector<Recorded> results;
  for (NodeId id : nodes) {
    Recorded r = frame.holds(id) ? frame.found(id) : Recorded{};
    const Meta m = frame.tape.meta(id);
    if (!r.value) r.value = Array::zeros(m.dtype, m.shape);
    results.push_back(std::move(r));
  }
  return results;
}

}  // namespace

std::vector<Recorded> recorded_adjoint_sweep(const Tape& source, Tape& target, NodeId begin,
                                             const std::vector<RecordedSeed>& seeds,
                                             const std::vector<NodeId>& inputs) {
  const NodeId end = end_after(begin, seeds, inputs);
  RecordingFrame frame(source, target, begin, end);
  frame.mark_from(inputs);
  for (auto& s : seeds)
    if (frame.holds(s.node)) frame.add(s.node, frame.nodes.put(s.value));
  std::vector<bool> is_input(end - begin);
  for (NodeId i : inputs)
    if (frame.holds(i)) is_input[i - begin] = true;
  for (NodeId id = end; id-- > begin;) {
    if (is_input[id - begin] || !frame.active(id) || !frame.found(id).value) continue;
    const Recorded g = std::exchange(frame.found(id), {});
    adjoint_step(frame, id, frame.nodes.put(g));
    frame.nodes.release(0);
  }
  return collect(frame, inputs);
}

std::vector<Recorded> recorded_tangent_sweep(const Tape& source, Tape& target, NodeId begin,
                                             const std::vector<RecordedSeed>& seeds,
                                             const std::vector<NodeId>& outputs) {
  const NodeId end = end_after(begin, seeds, outputs);
  RecordingFrame frame(source, target, begin, end);
  frame.forward = true;
  std::vector<NodeId> inputs;
  for (auto& s : seeds) {
    inputs.push_back(s.node);
    if (frame.holds(s.node)) frame.add(s.node, frame.nodes.put(s.value));
  }
  frame.mark_from(inputs);
  for (NodeId id = begin; id < end; ++id) {
    const bool seeded = static_cast<bool>(frame.found(id).value);
    if (seeded || frame.tape[id].has(Node::kDetached)) continue;
    if (const auto t = tangent_step(frame, id)) frame.found(id) = frame.nodes.get(*t);
    frame.nodes.release(0);
  }
  return collect(frame, outputs);
}

}  // namespace tapegrad

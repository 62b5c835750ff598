// The tangent sweep in numbers as an object, because the second-order sweep reads its store.
#pragma once

#include <numeric>

#include "sweeps/poles.hpp"
#include "sweeps/sweeps.hpp"

namespace tapegrad {

class TangentFrame final : public NumericFrame {
 public:
  TangentFrame(const Tape& tape, NodeId begin, NodeId end, std::int64_t lanes)
      : NumericFrame(tape, lanes),
        tangents(tape, begin, end, lanes),
        moves_(tape, begin, end, lanes) {}

  bool active(Operand o) const override { return tangents.holds(o) && tangents.has(o); }
  bool depends(Operand o) const override { return tangents.wants(o); }
  bool may_vanish(Operand o) const override { return depends(o) && tape[o].has(Node::kScalar); }
  Term tangent(Operand o) override { return numbers.put(tangents.get(o)); }

  void seed(const std::vector<Seed>& seeds) {
    for (auto& s : seeds) tangents.set(s.node, {s.value, tangents.batched()});
    moves_.seed(seeds);
  }
  bool loses_tangent(NodeId id, int i) override {
    const Operand o = i == 0 ? tape[id].a : tape[id].b;
    return meets_pole(tape, id, i, tangents.get(o), numbers.lanes());
  }
  Term through_pole(NodeId id, int i) override {
    const Node n = tape[id];
    const Operand o = i == 0 ? n.a : n.b;
    return past_pole(tangent(o), slope_on_tape(*this, n, id, i), moves_.of(id, o, numbers));
  }
  // `outputs` are kept; of the other arrays a tangent is forgotten after its last use, unless the
  // second-order sweep will read it, which it does only where it reads the value.
  void run(NodeId begin, NodeId end, const std::vector<NodeId>& outputs, bool second_order) {
    const std::vector<NodeId> last = last_uses(begin, end, outputs);
    for (NodeId id = begin; id < end; ++id) {
      if (!last.empty() && is_unused(id, last, begin)) continue;
      if (last.empty() || !overwrite(id, last, begin, second_order)) step(id);
      if (last.empty()) continue;
      const Node& n = tape[id];
      for (int i = 0, count = tape.operand_count(n); i < count; ++i) {
        const Operand o = tape.operand(n, i);
        if (tangents.holds(o) && !tape[o].has(Node::kScalar) && last[o - begin] == id &&
            !(second_order && tape.has_value(o)))
          tangents.take(o);
      }
    }
  }

  NumericStore tangents;

 private:
  NumericMoves moves_;

  // For each node the last that reads it on the way to the outputs; the end for outputs, the node
  // itself if nobody does. Empty if the tape has no arrays.
  std::vector<NodeId> last_uses(NodeId begin, NodeId end,
                                const std::vector<NodeId>& outputs) const {
    if (tape.slot_count() == 0) return {};
    std::vector<NodeId> last(end - begin);
    std::iota(last.begin(), last.end(), begin);
    for (NodeId o : outputs)
      if (tangents.holds(o)) last[o - begin] = end;
    for (NodeId id = end; id-- > begin;) {
      if (is_unused(id, last, begin)) continue;
      for (int i = 0, count = tape.operand_count(tape[id]); i < count; ++i) {
        const Operand o = tape.operand(tape[id], i);
        if (tangents.holds(o) && last[o - begin] == o) last[o - begin] = id;
      }
    }
    return last;
  }
  // Has a rule that need not run. Scalars on the fast path keep their rows defined.
  bool is_unused(NodeId id, const std::vector<NodeId>& last, NodeId begin) const {
    return last[id - begin] == id && !tape[id].has(Node::kFastPath);
  }
  // An assignment whose base nobody reads any more: its tangent is overwritten where it lies, at
  // the cost of the part.
  bool overwrite(NodeId id, const std::vector<NodeId>& last, NodeId begin, bool second_order) {
    const Node& n = tape[id];
    if (tangents.batched() || kind_of(n.op) != OpKind::structured || !rules_of(n.op).update)
      return false;
    const Operand base = tape.operand(n, 0), written = tape.operand(n, 1);
    if (!active(base) || tape[base].dtype != n.dtype || last[base - begin] != id ||
        (second_order && tape.has_value(base)))
      return false;
    std::int64_t immediate = 0;
    const Attrs attrs = tape.attrs(n, immediate);
    std::array<Array, 3> in;
    const DType part = n.op == Op::part_set ? DType::f64 : n.dtype;
    in[1] = active(written) ? tangents.get(written).array
                            : Array::zeros(part, tape.meta(written).shape);
    if (in[1].dtype() != part) return false;
    if (n.op == Op::put) in[2] = tape.value(tape.operand(n, 2));
    in[0] = tangents.take(base).array;
    tangents.set(id, {evaluate(n.op, std::span(in.data(), n.op == Op::put ? 3 : 2), attrs), false});
    return true;
  }
  void step(NodeId id) {
    const Node& n = tape[id];
    if (n.has(Node::kFastPath) && !may_lose(n)) return scalar_tangent(tape, n, id, tangents.rows);
    if (n.has(Node::kDetached)) return;
    if (n.op == Op::input || n.op == Op::constant || (n.op == Op::alias && !active(n.a))) return;
    if (n.op == Op::item && n.has(Node::kScalar) && !tangents.batched()) return item(n, id);
    if (const auto t = tangent_step(*this, id)) tangents.set(id, numbers.get(*t));
    numbers.release(0);
  }
  // A scalar whose zero tangent meets an infinite slope.
  bool may_lose(const Node& n) const {
    if (!may_lose_tangent(tape, n)) return false;
    for (int i = 0; i < arity_of(n.op); ++i)
      if (const Operand o = i == 0 ? n.a : n.b; tangents.holds(o))
        if (scalar_meets_pole(tape, n, tangents.rows.row(o), tangents.rows.lanes())) return true;
    return false;
  }
  void item(const Node& n, NodeId id) {
    if (!active(n.a)) return;
    const std::int64_t index[] = {n.attr};
    tangents.set(id, {evaluate(Op::cast, {evaluate(Op::item, {tangents.get(n.a).array}, index)},
                               std::array<std::int64_t, 1>{0}),
                      false});
  }
};

}  // namespace tapegrad

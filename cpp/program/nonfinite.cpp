// Where the first NaN or infinity of a recording comes from.
#include "program/nonfinite.hpp"

#include <cmath>

#include "base/copy.hpp"

namespace tapegrad {
namespace {

bool is_finite(const Array& a) {
  if (!is_differentiable(a.dtype())) return true;
  const Array flat = contiguous(a);
  bool finite = true;
  dispatch_float(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; finite && i < flat.size(); ++i) {
      if constexpr (std::is_same_v<T, Complex>)
        finite = std::isfinite(flat.at<T>(i).real()) && std::isfinite(flat.at<T>(i).imag());
      else finite = std::isfinite(flat.at<T>(i));
    }
  });
  return finite;
}

// Values of the nodes in order, each kept until its last reader has run.
class Interpreter {
 public:
  Interpreter(const Recording& r, std::span<const Array> inputs)
      : tape_(r.tape), values_(r.tape.size()), last_(r.tape.size(), kNoOperand) {
    for (std::size_t k = 0; k < r.inputs.size(); ++k) values_[r.inputs[k]] = inputs[k];
    for (NodeId id = 0; id < tape_.size(); ++id)
      for_operands(id, [&](Operand o) {
        if (!is_constant(o)) last_[o] = id;
      });
  }

  template <class F>
  void for_operands(NodeId id, F&& f) const {
    const Node& n = tape_[id];
    if (n.op == Op::input || n.op == Op::constant) return;
    for (int i = 0, count = tape_.operand_count(n); i < count; ++i) f(tape_.operand(n, i));
  }

  std::vector<Array> operands(NodeId id) const {
    std::vector<Array> found;
    for_operands(id, [&](Operand o) {
      found.push_back(is_constant(o) ? Array::scalar(tape_.constant(o)) : values_[o]);
    });
    return found;
  }

  Array compute(NodeId id) {
    const Node& n = tape_[id];
    if (n.op == Op::constant || (n.op == Op::input && !values_[id])) values_[id] = tape_.value(id);
    else if (n.op != Op::input) {
      std::vector<Array> in = operands(id);
      std::int64_t immediate = 0;
      values_[id] = evaluate(n.op, in, tape_.attrs(n, immediate));
    }
    return values_[id];
  }
  void forget_operands(NodeId id) {
    for_operands(id, [&](Operand o) {
      if (!is_constant(o) && last_[o] == id) values_[o] = Array();
    });
  }

 private:
  const Tape& tape_;
  std::vector<Array> values_;
  std::vector<NodeId> last_;  // reader of each node
};

// The first node that outputs have their NaN or infinity from: it is reached through nodes that are
// not finite themselves. kNoOperand if the outputs are finite.
NodeId origin_of(const Recording& r, const Interpreter& interpreter,
                 const std::vector<bool>& finite) {
  std::vector<bool> reached(r.tape.size());
  for (Operand o : r.outputs)
    if (!is_constant(o) && !finite[o]) reached[o] = true;
  NodeId first = kNoOperand;
  for (NodeId id = r.tape.size(); id-- > 0;) {
    if (!reached[id]) continue;
    first = id;
    interpreter.for_operands(id, [&](Operand o) {
      if (!is_constant(o) && !finite[o]) reached[o] = true;
    });
  }
  return first;
}

}  // namespace

std::optional<Nonfinite> first_nonfinite(const Recording& r, std::span<const Array> inputs) {
  std::vector<bool> finite(r.tape.size());
  Interpreter first_pass(r, inputs);
  NodeId origin = kNoOperand;
  for (NodeId id = 0; id < r.tape.size(); ++id) {
    finite[id] = is_finite(first_pass.compute(id));
    first_pass.forget_operands(id);
    if (!finite[id] && origin == kNoOperand) origin = id;
  }
  if (origin == kNoOperand) return {};
  Nonfinite found;
  const NodeId in_outputs = origin_of(r, first_pass, finite);
  found.reaches_output = in_outputs != kNoOperand;
  found.node = found.reaches_output ? in_outputs : origin;
  Interpreter second_pass(r, inputs);
  for (NodeId id = 0; id < found.node; ++id) {
    second_pass.compute(id);
    second_pass.forget_operands(id);
  }
  found.operands = second_pass.operands(found.node);
  found.value = second_pass.compute(found.node);
  return found;
}

}  // namespace tapegrad

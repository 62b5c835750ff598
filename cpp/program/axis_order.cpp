// The choice is made for a whole program: one loop whose arrays lie in different orders is slower
// than either.
#include "program/axis_order.hpp"

#include <algorithm>

#include "ops/parts.hpp"

namespace tapegrad {
namespace {

constexpr std::int64_t kShortAxis = 32, kLongAxis = 128;
// Elements that are summed or repeated for each that lies in the caller's order.
constexpr std::int64_t kGain = 2;

std::size_t longest(const Dims& shape) {
  const auto at = std::max_element(shape.begin(), shape.end());
  return static_cast<std::size_t>(at - shape.begin());
}

// The last axis of more than one element is short, and another one is long.
bool is_eligible(const Dims& shape) {
  std::size_t last = shape.size();
  while (last > 0 && shape[last - 1] == 1) --last;
  if (last < 2) return false;
  const std::int64_t n = shape[last - 1], most = shape[longest(shape)];
  return n <= kShortAxis && most >= kLongAxis && most >= 8 * n;
}

class Choice {
 public:
  Choice(const Recording& recording, const std::vector<bool>& live)
      : tape_(recording.tape), live_(live), free_(tape_.size(), true) {
    for (const Operand o : recording.outputs) fix(o);
    for (const RecordedGuard& g : recording.guards) fix(g.node);
    for (const NodeId id : recording.inputs) fix(id);
    for (NodeId id = tape_.size(); id-- > 0;)
      if (live_[id]) look_at(id);
  }

  std::vector<bool> run() {
    std::int64_t gain = 0, loss = 0;
    std::vector<bool> chosen(tape_.size(), false);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      if (!live_[id]) continue;
      gain += repeated_or_summed(id);
      const Dims shape = tape_.meta(id).shape;
      if (!is_eligible(shape)) continue;
      if (chosen[id] = free_[id] && owns_memory(id); chosen[id]) continue;
      const bool re_indexes = kind_of(tape_[id].op) == OpKind::structured && !is_fold(tape_[id].op);
      if (!free_[id] || !re_indexes) loss += shape.product();
    }
    if (gain < kGain * loss || gain == 0) chosen.assign(tape_.size(), false);
    return chosen;
  }

 private:
  void fix(Operand o) {
    if (!is_constant(o)) free_[o] = false;
  }
  template <class F>
  void for_operands(NodeId id, F&& f) const {
    const Node& n = tape_[id];
    for (int i = 0, count = tape_.operand_count(n); i < count; ++i)
      if (const Operand o = tape_.operand(n, i); !is_constant(o)) f(o);
  }

  // Ops of loops, which walk their operands by strides; views, which hand on what is asked of them.
  static bool is_loop(Op op) {
    return is_elementwise(op) || is_fold(op) || op == Op::where || op == Op::cast;
  }
  static bool is_view(Op op) {
    return op == Op::alias || op == Op::stop_gradient || op == Op::slice || op == Op::transpose ||
           op == Op::broadcast_to;
  }
  bool adds_or_drops_axes(NodeId id) const {
    return tape_[id].op == Op::reshape &&
           without_ones(tape_.meta(tape_[id].a).shape) == without_ones(tape_.meta(id).shape);
  }
  // Matrices may lie by rows or by columns, as operands and as results.
  bool is_matrix_product(NodeId id) const {
    const Node& n = tape_[id];
    return n.op == Op::matmul && tape_.meta(n.a).shape.size() > 1 &&
           tape_.meta(n.b).shape.size() > 1;
  }
  void look_at(NodeId id) {
    const Op op = tape_[id].op;
    const bool hands_on = is_view(op) || adds_or_drops_axes(id);
    if (is_loop(op) || (hands_on && free_[id])) return;
    const bool product = is_matrix_product(id);
    for_operands(id, [&](Operand o) {
      const Dims shape = tape_.meta(o).shape;
      if (!product || longest(shape) + 2 < shape.size()) fix(o);
    });
  }

  bool owns_memory(NodeId id) const {
    const Node& n = tape_[id];
    const Dims shape = tape_.meta(id).shape;
    if (is_matrix_product(id)) return longest(shape) + 2 == shape.size();
    if (n.op == Op::constant) return tape_.value(id).contiguous();
    return is_loop(n.op) && !n.has(Node::kScalar);
  }

  // Elements of a loop in which one operand has fewer of the last or of the longest axis.
  std::int64_t repeated_or_summed(NodeId id) const {
    const Node& n = tape_[id];
    if (!is_loop(n.op) || is_constant(n.a)) return 0;
    const Dims out = tape_.meta(id).shape;
    if (is_fold(n.op)) {
      const Dims in = tape_.meta(n.a).shape;
      return is_eligible(in) ? in.product() : 0;
    }
    if (!is_eligible(out)) return 0;
    bool repeats = false;
    for_operands(id, [&](Operand o) {
      const Dims in = tape_.meta(o).shape;
      repeats = repeats || (!in.empty() && in.product() != out.product());
    });
    return repeats ? out.product() : 0;
  }

  const Tape& tape_;
  const std::vector<bool>& live_;
  std::vector<bool> free_;  // no reader needs the order of the axes
};

}  // namespace

std::vector<bool> nodes_in_long_order(const Recording& recording, const std::vector<bool>& live) {
  return Choice(recording, live).run();
}

Dims long_order(const Dims& shape, std::int64_t item) {
  const std::size_t innermost = longest(shape);
  Dims strides(shape.size(), 0);
  strides[innermost] = item;
  std::int64_t step = item * shape[innermost];
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (axis == innermost) continue;
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

}  // namespace tapegrad

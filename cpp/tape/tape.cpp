// The array part of the tape.
#include "tape/tape.hpp"

#include <array>

#include "ops/custom.hpp"
#include "ops/kernels.hpp"

namespace tapegrad {
namespace {

bool is_scalar(const Array& a) { return a.dtype() == DType::f64 && a.ndim() == 0; }

// Bit j: the derivative with respect to operand i reads operand j; kNeedsOut: it reads the result.
unsigned needs_of(Op op, int i) {
  if (kind_of(op) == OpKind::leaf) return 0;
  if (kind_of(op) == OpKind::structured) return rules_of(op).needs[std::min(i, 2)];
  const unsigned n = partial_info(op).needs[i];
  return (n & (kNeedsX | kNeedsY)) | (n & kNeedsResult ? kNeedsOut : 0);
}

}  // namespace

unsigned operands_read(Op op) {
  static const auto table = [] {
    std::array<unsigned, static_cast<std::size_t>(Op::count)> read{};
    for (std::size_t k = 0; k < read.size(); ++k)
      for (int i = 0; i < std::max(arity_of(static_cast<Op>(k)), 1); ++i)
        read[k] |= needs_of(static_cast<Op>(k), i);
    return read;
  }();
  return table[static_cast<std::size_t>(op)];
}

SlotId Tape::add_slot(const Dims& shape) {
  // Shapes repeat: look among the last few before a new one is written.
  std::size_t i = shapes_.size();
  const std::size_t stop = i > 8 ? i - 8 : 0;
  while (i > stop && !(shapes_[i - 1] == shape)) --i;
  if (i == stop) {
    shapes_.push_back(shape);
    i = shapes_.size();
  }
  slots_.push({nullptr, static_cast<ShapeId>(i - 1)});
  return static_cast<SlotId>(slots_.size() - 1);
}

void Tape::keep(Operand o, const Array& value) {
  if (is_constant(o) || nodes_[o].has(Node::kScalar)) return;
  Slot& slot = slots_[nodes_[o].slot];
  if (slot.value) return;
  ensure(static_cast<bool>(value), "a value that a rule needs is there when it is recorded");
  slot.value = Array(value).leak();
}

void Tape::keep_needed(NodeId id, std::span<const Array> in, const Array& out) {
  const Node& n = nodes_[id];
  for (int i = 0, count = static_cast<int>(in.size()); i < count; ++i) {
    const Operand o = operand(n, i);
    if (is_constant(o) || nodes_[o].op == Op::constant) continue;
    const unsigned needs = needs_of(n.op, i);
    for (int j = 0; needs != 0 && j < count; ++j)
      if (reads_operand(needs, static_cast<std::size_t>(j))) keep(operand(n, j), in[j]);
    if (needs & kNeedsOut) keep(id, out);
  }
}

// The same few rules are named again and again: only the last ones are compared.
void Tape::hold_rule(std::int64_t id) {
  const std::size_t looked_at = std::min<std::size_t>(rules_.size(), 8);
  for (auto rule = rules_.end() - static_cast<std::ptrdiff_t>(looked_at); rule != rules_.end();
       ++rule)
    if ((*rule)->id() == id) return;
  rules_.push_back(CustomRule::find(id));
}

// Op, operands and attributes, written into their pools.
Node Tape::node_of(Op op, std::span<const Operand> operands, Attrs attrs, DType dtype) {
  Node n{op, dtype, 0, kNoOperand, kNoOperand, 0, {0.0}};
  if (operands.size() <= 2 && arity_of(op) >= 0) {
    n.a = operands[0];
    if (operands.size() == 2) n.b = operands[1];
  } else {
    n.flags |= Node::kList;
    n.a = static_cast<Operand>(lists_.size());
    n.b = static_cast<Operand>(operands.size());
    std::copy(operands.begin(), operands.end(), lists_.extend(operands.size()));
  }
  if (op == Op::item || op == Op::item_set) {
    require(attrs[0] < kConstantBit, "an array of more than 2^31 elements is indexed by gather");
    n.attr = static_cast<AttrId>(attrs[0]);
  } else if (kind_of(op) == OpKind::structured) {
    if (op == Op::custom) hold_rule(attrs[0]);
    n.attr = static_cast<AttrId>(attrs_.size());
    std::int64_t* p = attrs_.extend(attrs.size() + 1);
    *p = static_cast<std::int64_t>(attrs.size());
    std::copy(attrs.begin(), attrs.end(), p + 1);
  }
  return n;
}

// True if the value depends on inputs only through what has no derivative.
bool Tape::is_detached(const Node& n) const {
  if (n.op == Op::stop_gradient) return true;
  if (n.op == Op::alias) return false;
  if (!is_differentiable(n.dtype)) return true;
  bool detached = false;
  for (int i = 0, count = operand_count(n); i < count; ++i) {
    const Operand o = operand(n, i);
    if (is_constant(o) || nodes_[o].op == Op::constant) continue;
    if (!nodes_[o].has(Node::kDetached)) return false;
    detached = true;
  }
  return detached;
}

// Gives the node its place: in itself for a scalar, else a slot.
NodeId Tape::append_placed(Node n, const Dims& shape) {
  if (is_detached(n)) n.flags |= Node::kDetached;
  if (n.dtype != DType::f64 || !shape.empty()) {
    n.slot = add_slot(shape);
    return append(n);
  }
  n.flags |= Node::kScalar;
  bool fast = is_elementwise(n.op);
  for (int i = 0; fast && i < arity_of(n.op); ++i) {
    const Operand o = operand(n, i);
    fast = is_constant(o) || nodes_[o].has(Node::kScalar);
  }
  if (fast) n.flags |= Node::kFastPath;
  return append(n);
}

NodeId Tape::add(Op op, std::span<const Operand> operands, Attrs attrs, const Meta& out) {
  return append_placed(node_of(op, operands, attrs, out.dtype), out.shape);
}

NodeId Tape::add(Op op, std::span<const Operand> operands, std::span<const Array> in, Attrs attrs,
                 const Array& out) {
  Node n = node_of(op, operands, attrs, out.dtype());
  if (is_scalar(out)) n.scalar = out.at<double>();
  const NodeId id = append_placed(n, out.shape());
  if (keep_needed_) keep_needed(id, in, out);
  if (keep_all_) {
    keep(id, out);
    for (std::size_t i = 0; i < in.size(); ++i)
      if (in[i]) keep(operands[i], in[i]);
  }
  return id;
}

NodeId Tape::add_leaf(Op op, const Array& value) {
  if (!is_scalar(value)) {
    const NodeId id = add_leaf(op, value.meta());
    if (is_program() && op == Op::constant) keep(id, value);
    return id;
  }
  return append({op, DType::f64, Node::kScalar, kNoOperand, kNoOperand, 0, {value.at<double>()}});
}
NodeId Tape::add_leaf(Op op, const Meta& meta) {
  Node n{op, meta.dtype, 0, kNoOperand, kNoOperand, 0, {0.0}};
  if (op == Op::input && !is_differentiable(meta.dtype)) n.flags |= Node::kDetached;
  n.slot = add_slot(meta.shape);
  return append(n);
}

NodeId Tape::add_item(Operand array, std::int64_t index, double value) {
  require(index < kConstantBit, "an array of more than 2^31 elements is indexed by gather");
  return append({Op::item,
                 DType::f64,
                 Node::kScalar,
                 array,
                 kNoOperand,
                 static_cast<AttrId>(index),
                 {value}});
}

std::size_t Tape::bytes() const {
  return nodes_.size() * sizeof(Node) + constants_.size() * sizeof(double) +
         lists_.size() * sizeof(Operand) + attrs_.size() * sizeof(std::int64_t) +
         slots_.size() * sizeof(Slot);
}

}  // namespace tapegrad

// Recorded data: nodes, constants, operand lists, attributes and array slots, each in flat storage.
// The scalar part is inline and is all that C++ users of Var link; arrays are in tape.cpp.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "base/array.hpp"
#include "base/flat.hpp"
#include "ops/rules.hpp"
#include "tape/node.hpp"

namespace tapegrad {

class CustomRule;

// Which operands' values any derivative of `op` reads: bit j for operand j. The last bits stand for
// all that come after.
unsigned operands_read(Op op);
constexpr bool reads_operand(unsigned read, std::size_t i) {
  return read >> std::min<std::size_t>(i, 30) & 1;
}

class Tape {
 public:
  Tape() = default;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  ~Tape() { release_values(); }

  // Changes when the tape is cleared, and differs from tape to tape: what Vars of the C++ API
  // carry. Odd for the recording of a program, so that a Var knows without a look at its tape.
  std::uint32_t serial() const { return serial_; }
  static constexpr std::uint32_t kProgramSerial = 1;

  // ---- scalars ----
  NodeId size() const { return static_cast<NodeId>(nodes_.size()); }
  const Node* nodes() const { return nodes_.data(); }
  const Node& operator[](NodeId i) const { return nodes_[i]; }
  double constant(Operand o) const { return constants_[o & ~kConstantBit]; }
  const Flat<double>& constants() const { return constants_; }
  double scalar(Operand o) const { return is_constant(o) ? constant(o) : nodes_[o].scalar; }

  Operand add_constant(double value) {
    constants_.push(value);
    return static_cast<Operand>(constants_.size() - 1) | kConstantBit;
  }
  NodeId add_scalar(Op op, Operand a, Operand b, double value) {
    return append_scalar(op, Node::kScalar | Node::kFastPath, a, b, value);
  }
  NodeId add_scalar_input(double value) {
    return append_scalar(Op::input, Node::kScalar, kNoOperand, kNoOperand, value);
  }

  // ---- arrays ----
  // A node for `op` with operands whose values are `in` (an entry may be null if no rule reads it)
  // and the result `out`. Values that derivative rules read are kept, others are not.
  NodeId add(Op op, std::span<const Operand> operands, std::span<const Array> in, Attrs attrs,
             const Array& out);
  // The same without values: a node of a program, which is computed later.
  NodeId add(Op op, std::span<const Operand> operands, Attrs attrs, const Meta& out);
  NodeId add_leaf(Op op, const Array& value);  // input or constant; the value is kept on need
  NodeId add_leaf(Op op, const Meta& meta);    // an array whose value no rule will read
  NodeId add_item(Operand array, std::int64_t index, double value);

  Meta meta(Operand o) const {
    if (is_constant(o) || nodes_[o].has(Node::kScalar)) return {DType::f64, {}};
    return {nodes_[o].dtype, shapes_[slots_[nodes_[o].slot].shape]};
  }
  // Kept value; raises a defect if it was not kept. Scalars always are.
  Array value(Operand o) const {
    if (is_constant(o) || nodes_[o].has(Node::kScalar)) return Array::scalar(scalar(o));
    void* kept = slots_[nodes_[o].slot].value;
    ensure(kept != nullptr, "a value that a rule reads was kept");
    return Array::borrow(kept);
  }
  bool has_value(Operand o) const {
    return is_constant(o) || nodes_[o].has(Node::kScalar) || slots_[nodes_[o].slot].value;
  }
  SlotId slot_count() const { return static_cast<SlotId>(slots_.size()); }

  int operand_count(const Node& n) const {
    return n.has(Node::kList) ? static_cast<int>(n.b) : arity_of(n.op);
  }
  Operand operand(const Node& n, int i) const {
    if (n.has(Node::kList)) return lists_[n.a + i];
    return i == 0 ? n.a : n.b;
  }
  // Attributes; `immediate` is storage for the ops that keep theirs in the node.
  Attrs attrs(const Node& n, std::int64_t& immediate) const {
    if (n.op == Op::item || n.op == Op::item_set) {
      immediate = n.attr;
      return {&immediate, 1};
    }
    if (kind_of(n.op) != OpKind::structured) return {};
    const std::int64_t* p = attrs_.data() + n.attr;
    return {p + 1, static_cast<std::size_t>(*p)};
  }
  // The rules that nodes of the op `custom` name.
  const std::vector<std::shared_ptr<CustomRule>>& rules() const { return rules_; }

  // From now on every value is kept, for drawing and debugging.
  void keep_values(bool all = true) { keep_all_ = all; }
  bool keeps_values() const { return keep_all_; }
  // The recording of a program: constants keep their values, and what has no derivative is recorded
  // too.
  void record_program(bool on = true) {
    serial_ = on ? serial_ | kProgramSerial : serial_ & ~kProgramSerial;
  }
  bool is_program() const { return serial_ & kProgramSerial; }
  // Whether the values that derivative rules read are kept, for sweeps over this tape.
  void keep_for_sweeps(bool keep) { keep_needed_ = keep; }
  // For nodes of the fast path, which do not find out by themselves.
  void settle_detached(NodeId id) {
    if (is_detached(nodes_[id])) nodes_[id].flags |= Node::kDetached;
  }
  // Keeps the value of an array node from now on: of a constant, say, that a program reads.
  void keep(Operand o, const Array& value);
  // Gives the kept value of an array node up.
  void forget(NodeId id) {
    if (!nodes_[id].has(Node::kScalar))
      Array::adopt(std::exchange(slots_[nodes_[id].slot].value, nullptr));
  }

  // Takes back the nodes from `end` on, which no other refers to.
  void truncate(NodeId end) {
    SlotId slots = slot_count();
    for (NodeId id = size(); id-- > end;)
      if (!nodes_[id].has(Node::kScalar)) slots = nodes_[id].slot;
    for (std::size_t i = slots; i < slots_.size(); ++i) Array::adopt(slots_[i].value);
    slots_.truncate(slots);
    nodes_.truncate(end);
  }

  // Forgets everything, keeps up to `keep_bytes` of each pool for the next recording.
  void clear(std::size_t keep_bytes = std::size_t{1} << 26) {
    serial_ = next_serial();
    keep_all_ = false;
    keep_needed_ = true;
    release_values();
    forget(keep_bytes, nodes_, constants_, lists_, attrs_, slots_);
    shapes_.clear();
    rules_.clear();
  }
  std::size_t bytes() const;
  // Exchanges what is recorded.
  void swap(Tape& o) noexcept {
    nodes_.swap(o.nodes_);
    constants_.swap(o.constants_);
    lists_.swap(o.lists_);
    attrs_.swap(o.attrs_);
    slots_.swap(o.slots_);
    shapes_.swap(o.shapes_);
    rules_.swap(o.rules_);
  }

 private:
  struct Slot {
    void* value;  // an Array's handle, or null
    ShapeId shape;
  };
  NodeId append(const Node& n) {
    *next_node() = n;
    return size() - 1;
  }
  // Field by field into the arena: a Node built on the stack and then copied is read back by wider
  // loads than wrote it, which stalls for 3 ns.
  NodeId append_scalar(Op op, std::uint8_t flags, Operand a, Operand b, double value) {
    Node* n = next_node();
    n->op = op;
    n->dtype = DType::f64;
    n->flags = flags;
    n->a = a;
    n->b = b;
    n->attr = 0;
    n->scalar = value;
    return size() - 1;
  }
  Node* next_node() {
    if (nodes_.size() == kConstantBit) [[unlikely]]
      throw Error("the tape is full: 2^31 operations");
    return nodes_.extend(1);
  }
  SlotId add_slot(const Dims& shape);
  void hold_rule(std::int64_t id);
  Node node_of(Op op, std::span<const Operand> operands, Attrs attrs, DType dtype);
  NodeId append_placed(Node n, const Dims& shape);
  bool is_detached(const Node& n) const;
  void keep_needed(NodeId id, std::span<const Array> in, const Array& out);
  template <class... Pools>
  static void forget(std::size_t keep_bytes, Pools&... pools) {
    (pools.truncate(0), ...);
    (pools.shrink(keep_bytes), ...);
  }
  void release_values() {
    for (std::size_t i = 0; i < slots_.size(); ++i) Array::adopt(slots_[i].value);
  }

  static std::uint32_t next_serial() {
    static std::atomic<std::uint32_t> last{0};
    return last += 2;
  }

  std::uint32_t serial_ = next_serial();
  bool keep_all_ = false;
  bool keep_needed_ = true;
  Flat<Node> nodes_;
  Flat<double> constants_;
  Flat<Operand> lists_;
  Flat<std::int64_t> attrs_;
  Flat<Slot> slots_;
  std::vector<Dims> shapes_;
  std::vector<std::shared_ptr<CustomRule>> rules_;
};

}  // namespace tapegrad

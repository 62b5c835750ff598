// Nodes to steps. Elementwise nodes join the earliest group of their shape that comes after what
// they read; scalars do the same with stretches of scalar code.
#include "program/schedule.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "ops/parts.hpp"
#include "program/axis_order.hpp"

namespace tapegrad {
namespace {

// More values would not fit the first-level cache, where each may take a tile; of short arrays it
// takes but some lines.
constexpr std::size_t kGroupNodes = 96, kShortGroupNodes = 384;
constexpr std::int64_t kShort = 32;  // elements

class Scheduler {
 public:
  Scheduler(const Recording& recording, const Passes& passes)
      : tape_(recording.tape), recording_(recording), passes_(passes) {
    const std::size_t n = tape_.size();
    s_.kinds.assign(n, NodeKind::dead);
    s_.step_of.assign(n, 0);
    s_.view_number.assign(n, Schedule::kNoView);
  }

  Schedule run() {
    mark_live();
    if (passes_.order && passes_.fuse) long_order_ = nodes_in_long_order(recording_, live_);
    for (NodeId id = 0; id < tape_.size(); ++id)
      if (live_[id]) {
        s_.kinds[id] = classify(id);
        if (!long_order_.empty() && long_order_[id]) turn(id);
        if (s_.kinds[id] != NodeKind::leaf && s_.kinds[id] != NodeKind::view) place(id);
      }
    sink();
    decide_memory(recording_, passes_, s_);
    return std::move(s_);
  }

 private:
  template <class F>
  void for_operands(NodeId id, F&& f) const {
    const Node& n = tape_[id];
    for (int i = 0, count = tape_.operand_count(n); i < count; ++i)
      if (const Operand o = tape_.operand(n, i); !is_constant(o)) f(o);
  }

  void mark_live() {
    live_.assign(tape_.size(), false);
    for (NodeId i : recording_.inputs) live_[i] = true;
    for (Operand o : recording_.outputs)
      if (!is_constant(o)) live_[o] = true;
    for (auto& g : recording_.guards)
      if (!is_constant(g.node)) live_[g.node] = true;
    for (NodeId id = tape_.size(); id-- > 0;)
      if (live_[id]) for_operands(id, [&](Operand o) { live_[o] = true; });
    mark_truths();
  }

  // A comparison of scalars stays a number, 0 or 1, if only scalar code and guards look at it.
  void mark_truths() {
    needs_bool_.assign(tape_.size(), false);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& n = tape_[id];
      if (!live_[id] || (n.op == Op::where && n.has(Node::kScalar))) continue;
      for_operands(id, [&](Operand o) {
        if (tape_[o].dtype == DType::b8) needs_bool_[o] = true;
      });
    }
    for (Operand o : recording_.outputs)
      if (!is_constant(o)) needs_bool_[o] = true;
  }

  // ---- kinds ----

  bool is_scalar_value(Operand o) const {
    return is_constant(o) || tape_[o].has(Node::kScalar) ||
           (s_.kinds[o] == NodeKind::scalar && tape_.meta(o).shape.empty());
  }

  NodeKind classify(NodeId id) {
    const Node& n = tape_[id];
    const Meta m = tape_.meta(id);
    if (n.op == Op::input || n.op == Op::constant) return leaf(id, m);
    if (auto v = view_of(n)) {
      s_.set_view(id, std::move(*v));
      return NodeKind::view;
    }
    if (is_scalar_node(id, n, m)) return NodeKind::scalar;
    if (is_elementwise(n.op) || n.op == Op::where || n.op == Op::cast || n.op == Op::conjugate ||
        n.op == Op::real || n.op == Op::imag)
      return NodeKind::fused;
    if (n.op == Op::roll || (n.op == Op::unslice && has_unit_steps(n))) return NodeKind::windowed;
    if (rules_of(n.op).view) return NodeKind::copy;
    if (passes_.fuse && is_fold(n.op) && is_differentiable(n.dtype) &&
        tape_.meta(n.a).shape.product() > 0)
      return NodeKind::reduction;
    return NodeKind::op;
  }
  bool has_unit_steps(const Node& n) const {
    std::int64_t immediate = 0;
    const Attrs attrs = tape_.attrs(n, immediate);
    for (std::size_t i = 1; i < attrs.size(); i += 3)
      if (attrs[i] != 1) return false;
    return true;
  }

  // Gives a node that owns its memory another order of axes there.
  void turn(NodeId id) {
    const NodeKind kind = s_.kinds[id];
    const bool product = kind == NodeKind::op && tape_[id].op == Op::matmul;
    if (kind != NodeKind::leaf && kind != NodeKind::fused && kind != NodeKind::reduction &&
        !product)
      return;
    const Meta m = tape_.meta(id);
    const View v{id, 0, m.shape, long_order(m.shape, itemsize(m.dtype))};
    if (s_.view_number[id] == Schedule::kNoView) s_.set_view(id, v);
    else s_.views[s_.view_number[id]] = v;
  }

  NodeKind leaf(NodeId id, const Meta& m) {
    if (tape_[id].op == Op::constant && !tape_.value(id).contiguous())
      s_.set_view(id, {id, 0, m.shape, tape_.value(id).strides()});
    return NodeKind::leaf;
  }

  bool is_scalar_node(NodeId id, const Node& n, const Meta& m) const {
    if (n.op == Op::concatenate) {
      bool all = m.dtype == DType::f64 && m.shape.size() == 1;
      for (int i = 0, count = tape_.operand_count(n); all && i < count; ++i) {
        const Operand o = tape_.operand(n, i);
        all = is_constant(o) || tape_[o].has(Node::kScalar);
      }
      return all;
    }
    if (!m.shape.empty()) return false;
    const bool number = m.dtype == DType::f64;
    const bool truth = m.dtype == DType::b8 && !needs_bool_[id];
    if (!(is_elementwise(n.op) && (number || (truth && kind_of(n.op) == OpKind::comparison))) &&
        !(n.op == Op::where && number))
      return false;
    bool all = true;
    for (int i = 0, count = tape_.operand_count(tape_[id]); i < count; ++i)
      all = all && is_scalar_value(tape_.operand(n, i));
    return all;
  }

  // Memory shared with the operand, if strides can express it.
  std::optional<View> view_of(const Node& n) const {
    if (n.op == Op::stop_gradient || n.op == Op::alias)
      return is_constant(n.a) ? std::nullopt : std::optional(s_.view(tape_, n.a));
    const bool re_indexes = n.op == Op::item || (kind_of(n.op) == OpKind::structured &&
                                                 rules_of(n.op).view && n.op != Op::imag);
    if (!re_indexes || is_constant(n.a)) return {};
    const View from = s_.view(tape_, n.a);
    const DType dtype = tape_.meta(n.a).dtype;
    // The rules say how a view is cut; they are asked with an array that has no memory behind it.
    char* const nowhere = reinterpret_cast<char*>(std::uintptr_t{1} << 40);
    const Array source = Array::foreign(dtype, from.shape, from.strides, nowhere, nullptr, nullptr);
    std::int64_t immediate = 0;
    const Attrs attrs = tape_.attrs(n, immediate);
    if (n.op == Op::item) {
      View v{from.root, from.offset, {}, {}};
      std::int64_t flat = attrs[0];
      for (std::size_t d = from.shape.size(); d-- > 0; flat /= from.shape[d])
        v.offset += flat % from.shape[d] * from.strides[d];
      return v;
    }
    if (n.op == Op::reshape && source.size() > 0 && !source.contiguous() &&
        without_ones(from.shape) != without_ones(Dims(attrs)))
      return {};
    if (n.op == Op::real && dtype != DType::c128) return View(from);
    const Array seen = rules_of(n.op).view(source, attrs);
    return View{from.root, from.offset + (seen.data() - nowhere), seen.shape(), seen.strides()};
  }

  // ---- steps ----

  // First step in which `id` may be computed if it joins steps of its own kind.
  std::uint32_t ready(NodeId id) const {
    std::uint32_t r = 0;
    const bool scalar = s_.kinds[id] == NodeKind::scalar;
    const bool registers = s_.kinds[id] == NodeKind::fused || s_.kinds[id] == NodeKind::reduction;
    for_operands(id, [&](Operand o) {
      const Operand root = s_.root(o);
      if (s_.kinds[root] == NodeKind::leaf) return;
      const bool same_kind =
          root == o &&
          ((scalar && s_.kinds[o] == NodeKind::scalar && tape_.meta(o).shape.empty()) ||
           (registers && s_.is_fused(o) && joins(id, o)));
      r = std::max(r, s_.step_of[root] + (same_kind ? 0 : 1));
    });
    return r;
  }
  // A register of a group can be read by nodes of the group's shape only.
  bool joins(NodeId id, Operand o) const {
    return s_.kinds[o] != NodeKind::copy && group_shape(id) == tape_.meta(o).shape;
  }
  Dims group_shape(NodeId id) const {
    if (s_.kinds[id] == NodeKind::reduction) return tape_.meta(tape_[id].a).shape;
    if (s_.kinds[id] == NodeKind::copy) return tape_.meta(tape_[id].a).shape;
    return tape_.meta(id).shape;
  }

  void place(NodeId id) {
    const std::uint32_t r = ready(id);
    switch (s_.kinds[id]) {
      case NodeKind::op: return add_step(Plan::Kind::op, {}, id);
      case NodeKind::scalar: return join(scalar_steps_, r, Plan::Kind::scalars, {}, id);
      default: {
        const Dims shape = group_shape(id);
        return join(group_steps_[std::vector<std::int64_t>(shape.begin(), shape.end())], r,
                    Plan::Kind::group, shape, id);
      }
    }
  }
  void join(std::vector<std::uint32_t>& steps, std::uint32_t r, Plan::Kind kind, const Dims& shape,
            NodeId id) {
    for (auto i = std::lower_bound(steps.begin(), steps.end(), r); i != steps.end(); ++i) {
      auto& step = s_.steps[*i];
      const bool room = kind == Plan::Kind::scalars ||
                        (passes_.fuse && step.nodes.size() < room_of(step)) ||
                        (!passes_.fuse && step.nodes.empty());
      if (!room) continue;
      step.nodes.push_back(id);
      s_.step_of[id] = *i;
      return;
    }
    add_step(kind, shape, id);
    steps.push_back(static_cast<std::uint32_t>(s_.steps.size() - 1));
  }
  static std::size_t room_of(const Schedule::Step& step) {
    return step.shape.product() <= kShort ? kShortGroupNodes : kGroupNodes;
  }
  void add_step(Plan::Kind kind, const Dims& shape, NodeId id) {
    s_.step_of[id] = static_cast<std::uint32_t>(s_.steps.size());
    s_.steps.push_back({kind, shape, {id}});
  }

  // A node that only one later group of its shape reads is computed there, if that stores no more
  // values than it saves.
  void sink() {
    if (!passes_.fuse) return;
    constexpr std::uint32_t kNobody = 0xffffffffu, kMany = 0xfffffffeu;
    std::vector<std::uint32_t> reader(tape_.size(), kNobody);
    auto read = [&](Operand o, std::uint32_t step) {
      if (reader[o] == kNobody) reader[o] = step;
      else if (reader[o] != step) reader[o] = kMany;
    };
    for (Operand o : recording_.outputs)
      if (!is_constant(o)) reader[o] = kMany;
    for (auto& g : recording_.guards)
      if (!is_constant(g.node)) reader[g.node] = kMany;
    std::vector<bool> moved(s_.steps.size(), false);
    for (NodeId id = tape_.size(); id-- > 0;) {
      if (!live_[id]) continue;
      if (s_.is_fused(id)) try_sink(id, reader[id], moved);
      const NodeKind kind = s_.kinds[id];
      const bool registers = kind == NodeKind::fused || kind == NodeKind::reduction;
      for_operands(id, [&](Operand o) {
        const bool by_register = registers && s_.is_fused(o) && joins(id, o);
        read(o, by_register ? s_.step_of[id] : kMany);
      });
    }
    for (std::size_t k = 0; k < moved.size(); ++k)
      if (moved[k]) std::sort(s_.steps[k].nodes.begin(), s_.steps[k].nodes.end());
  }
  std::int64_t bytes_of(Operand o) const {
    const Meta m = tape_.meta(o);
    return m.shape.product() * itemsize(m.dtype);
  }
  std::int64_t operand_bytes(NodeId id) const {
    std::int64_t bytes = 0;
    for_operands(id, [&](Operand o) {
      if (s_.kinds[s_.root(o)] != NodeKind::leaf) bytes += bytes_of(s_.root(o));
    });
    return bytes;
  }
  void try_sink(NodeId id, std::uint32_t to, std::vector<bool>& moved) {
    const std::uint32_t from = s_.step_of[id];
    if (to >= s_.steps.size() || to <= from || s_.steps[to].kind != Plan::Kind::group) return;
    if (!(s_.steps[to].shape == group_shape(id))) return;
    int registers = 0;
    for_operands(id, [&](Operand o) { registers += s_.is_fused(o) && s_.step_of[o] == from; });
    if (registers > 1) return;
    auto& nodes = s_.steps[from].nodes;
    if (s_.steps[to].nodes.size() >= room_of(s_.steps[to])) return;
    if (nodes.size() == 1 && operand_bytes(id) > bytes_of(id)) return;
    nodes.erase(std::find(nodes.begin(), nodes.end(), id));
    s_.steps[to].nodes.push_back(id);
    s_.step_of[id] = to;
    moved[to] = true;
  }

  const Tape& tape_;
  const Recording& recording_;
  const Passes& passes_;
  Schedule s_;
  std::vector<bool> live_, needs_bool_, long_order_;
  std::vector<std::uint32_t> scalar_steps_;
  std::map<std::vector<std::int64_t>, std::vector<std::uint32_t>> group_steps_;
};

}  // namespace

Schedule make_schedule(const Recording& recording, const Passes& passes) {
  return Scheduler(recording, passes).run();
}

}  // namespace tapegrad

// Which values of a schedule get memory, and until when.
#include <algorithm>

#include "program/schedule.hpp"

namespace tapegrad {
namespace {

// A value is computed again if that takes at most so many additions, and reads so many arrays.
constexpr int kMostOps = 6, kMostReads = 6;

// In additions: ops whose kernels keep up with memory cost 1, what costs too much is never repeated.
int cost_of(Op op) {
  switch (op) {
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::negative:
    case Op::square:
    case Op::scale:
    case Op::absolute:
    case Op::maximum:
    case Op::minimum:
    case Op::where: return 1;
    case Op::divide:
    case Op::reciprocal: return 3;
    default: return kind_of(op) == OpKind::comparison ? 1 : kMostOps + 1;
  }
}

class Memory {
 public:
  Memory(const Recording& recording, Schedule& s)
      : tape_(recording.tape), recording_(recording), s_(s) {
    s_.is_recomputed.assign(tape_.size(), false);
    mark();
  }

  void mark() {
    const std::size_t n = tape_.size();
    s_.is_stored.assign(n, false);
    s_.in_scalars.assign(n, false);
    s_.last.assign(n, 0);
    s_.ends_in_order.assign(n, true);
    must_.assign(n, false);
    const auto end = static_cast<std::uint32_t>(s_.steps.size());
    for (NodeId id = 0; id < n; ++id) mark_reads(id);
    for (Operand o : recording_.outputs)
      if (!is_constant(o)) read_memory(o, end);
    for (auto& g : recording_.guards)
      if (!is_constant(g.node)) read_memory(g.node, end);
  }

  // Ascending, so that what a value is made of is decided before.
  void choose_recomputed() {
    chosen_.assign(tape_.size(), false);
    cost_.assign(tape_.size(), 0);
    reads_.assign(tape_.size(), 0);
    for (NodeId id = 0; id < tape_.size(); ++id) {
      if (!s_.is_fused(id) || s_.kinds[id] == NodeKind::copy) continue;
      price(id);
      if (s_.is_stored[id] && !must_[id] && can_be_recomputed(id)) choose(id);
    }
    s_.is_recomputed = std::move(chosen_);
  }

 private:
  template <class F>
  void for_operands(NodeId id, F&& f) const {
    const Node& n = tape_[id];
    for (int i = 0, count = tape_.operand_count(n); i < count; ++i)
      if (const Operand o = tape_.operand(n, i); !is_constant(o)) f(o);
  }
  Dims group_shape(NodeId id) const { return s_.steps[s_.step_of[id]].shape; }
  bool reads_registers(NodeId id) const {
    return s_.kinds[id] == NodeKind::fused || s_.kinds[id] == NodeKind::reduction;
  }

  void mark_reads(NodeId id) {
    const NodeKind kind = s_.kinds[id];
    if (kind == NodeKind::dead || kind == NodeKind::leaf || kind == NodeKind::view) return;
    const bool one_number = kind == NodeKind::scalar && tape_.meta(id).shape.empty();
    if (!s_.is_fused(id) && !one_number) s_.is_stored[id] = must_[id] = true;
    if (!s_.is_recomputed[id]) mark_operands(id, s_.step_of[id]);
  }

  // What computing `id` in `step` reads.
  void mark_operands(NodeId id, std::uint32_t step) {
    const NodeKind kind = s_.kinds[id];
    for_operands(id, [&](Operand o) {
      const bool by_register = reads_registers(id) && s_.is_fused(o) &&
                               s_.kinds[o] != NodeKind::copy &&
                               group_shape(id) == tape_.meta(o).shape;
      if (by_register && s_.is_recomputed[o]) return mark_operands(o, step);
      const bool scalars = kind == NodeKind::scalar && s_.kinds[o] == NodeKind::scalar;
      if ((by_register || scalars) && s_.step_of[o] == step) return;
      if (by_register) read_in_order(o, step);
      else read_memory(o, step);
      if (kind == NodeKind::scalar) s_.in_scalars[s_.root(o)] = true;
    });
  }

  void read_in_order(Operand o, std::uint32_t step) {
    s_.is_stored[o] = true;
    if (step > s_.last[o]) {
      s_.last[o] = step;
      s_.ends_in_order[o] = true;
    }
  }
  void read_memory(Operand o, std::uint32_t step) {
    const Operand root = s_.root(o);
    s_.is_stored[root] = must_[root] = true;
    if (step >= s_.last[root]) {
      s_.last[root] = step;
      s_.ends_in_order[root] = false;
    }
  }

  // With what it is made of: values that had been registers of its group only.
  void choose(NodeId id) {
    chosen_[id] = true;
    if (s_.kinds[id] == NodeKind::fused)
      for_operands(id, [&](Operand o) {
        if (!is_in_memory(o) && !chosen_[o]) choose(o);
      });
  }
  bool is_in_memory(Operand o) const {
    if (!s_.is_fused(o) || s_.kinds[o] == NodeKind::copy) return true;
    return must_[o] || (s_.is_stored[o] && !chosen_[o]);
  }

  // How many ops and reads it takes to have the value without its memory.
  void price(NodeId id) {
    const bool windowed = s_.kinds[id] == NodeKind::windowed;
    int cost = windowed ? 0 : cost_of(tape_[id].op), reads = windowed ? 1 : 0;
    if (!windowed)
      for_operands(id, [&](Operand o) {
        const bool in_memory = is_in_memory(o);
        cost += in_memory ? 0 : cost_[o];
        reads += in_memory ? 1 : reads_[o];
        if (!in_memory && !(group_shape(id) == tape_.meta(o).shape)) cost = kMostOps + 1;
      });
    cost_[id] = std::min(cost, kMostOps + 1);
    reads_[id] = std::min(reads, kMostReads + 1);
  }

  // Cheap, and nothing else is kept alive for it.
  bool can_be_recomputed(NodeId id) const {
    return cost_[id] <= kMostOps && reads_[id] <= kMostReads && sources_live_until(id, s_.last[id]);
  }
  bool sources_live_until(NodeId id, std::uint32_t step) const {
    bool live = true;
    for_operands(id, [&](Operand o) {
      const Operand root = s_.root(o);
      if (s_.kinds[root] == NodeKind::leaf) return;
      const bool in_memory = s_.kinds[id] == NodeKind::windowed || root != o || is_in_memory(o);
      live = live && (in_memory ? s_.last[root] >= step : sources_live_until(o, step));
    });
    return live;
  }

  const Tape& tape_;
  const Recording& recording_;
  Schedule& s_;
  std::vector<bool> must_;  // read other than in order by a group of its shape
  std::vector<bool> chosen_;
  std::vector<int> cost_, reads_;
};

}  // namespace

void decide_memory(const Recording& recording, const Passes& passes, Schedule& schedule) {
  Memory memory(recording, schedule);
  if (!passes.recompute || !passes.fuse) return;
  memory.choose_recomputed();
  memory.mark();
}

}  // namespace tapegrad

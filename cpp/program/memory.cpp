// Which values of a schedule get memory, and until when: from the last step to the first, so that
// the readers of a value are known when it is decided about.
#include <algorithm>

#include "program/recompute.hpp"

namespace tapegrad {
namespace {

class Memory {
 public:
  Memory(const Recording& recording, Schedule& s)
      : tape_(recording.tape), recording_(recording), s_(s) {}

  void run(bool recompute) {
    reset();
    const auto end = static_cast<std::uint32_t>(s_.steps.size());
    for (Operand o : recording_.outputs)
      if (!is_constant(o)) read_memory(o, end);
    for (auto& g : recording_.guards)
      if (!is_constant(g.node)) read_memory(g.node, end);
    for (std::uint32_t step = end; step-- > 0;) {
      const auto& nodes = s_.steps[step].nodes;
      if (recompute && s_.steps[step].kind == Plan::Kind::group)
        for (NodeId id : recomputed_values(tape_, s_, readers_, step)) s_.is_recomputed[id] = true;
      for (std::size_t k = nodes.size(); k-- > 0;) settle(nodes[k], step);
    }
  }

 private:
  static constexpr std::size_t kMostRepeated = 256;  // values in one group: they share a cache

  void reset() {
    const std::size_t n = tape_.size();
    readers_.last = std::move(s_.last);
    readers_.demands.assign(n, {});
    readers_.must.assign(n, false);
    readers_.touched.assign(n, {});
    here_.assign(n, false);
    repeated_.assign(s_.steps.size(), 0);
    s_.is_stored.assign(n, false);
    s_.is_recomputed.assign(n, false);
    s_.in_scalars.assign(n, false);
    s_.last.assign(n, 0);
    s_.ends_in_order.assign(n, true);
  }

  // All who read `id` have been seen.
  void settle(NodeId id, std::uint32_t step) {
    const NodeKind kind = s_.kinds[id];
    const Demands& demands = readers_.demands[id];
    if (s_.is_recomputed[id]) s_.is_recomputed[id] = !demands.empty() && has_room(demands);
    if (s_.is_recomputed[id]) {
      for (const Demand& d : demands) {
        ++repeated_[d.step];
        read_operands(id, d.step, d.shift);
      }
    } else {
      for (const Demand& d : demands) read_stored(id, d);
    }
    const bool one_number = kind == NodeKind::scalar && tape_.meta(id).shape.empty();
    if (!s_.is_fused(id) && !one_number) s_.is_stored[id] = true;
    if (s_.is_stored[id] || here_[id] || one_number) read_operands(id, step, kNoShift);
  }
  bool has_room(const Demands& demands) const {
    return std::all_of(demands.begin(), demands.end(),
                       [&](const Demand& d) { return repeated_[d.step] < kMostRepeated; });
  }

  // What computing `id` in `step` at a shift reads.
  void read_operands(NodeId id, std::uint32_t step, ShiftId shift) {
    const Node& n = tape_[id];
    const NodeKind kind = s_.kinds[id];
    for (int i = 0, count = tape_.operand_count(n); i < count; ++i) {
      const Operand o = tape_.operand(n, i);
      if (is_constant(o)) continue;
      const bool scalars = kind == NodeKind::scalar && s_.kinds[o] == NodeKind::scalar;
      if (scalars && s_.step_of[o] == step) continue;
      const Source source =
          source_of(tape_, s_, readers_.shifts, id, o, shift, s_.steps[step].shape);
      if (source.computed) read_value(*source.computed, step);
      else read_memory(o, step);
      if (kind == NodeKind::scalar) s_.in_scalars[s_.root(o)] = true;
    }
  }
  void read_value(const Reading& r, std::uint32_t step) {
    if (s_.step_of[r.value] == step) {
      here_[r.value] = true;
      return;
    }
    readers_.demands[r.value].add({step, r.shift});
    readers_.touch(r.value, step);
  }
  void read_stored(Operand root, const Demand& d) {
    s_.is_stored[root] = true;
    if (d.step > s_.last[root]) {
      s_.last[root] = d.step;
      s_.ends_in_order[root] = d.shift == kNoShift;
    } else if (d.step == s_.last[root]) {
      s_.ends_in_order[root] = s_.ends_in_order[root] && d.shift == kNoShift;
    }
  }
  void read_memory(Operand o, std::uint32_t step) {
    const Operand root = s_.root(o);
    s_.is_stored[root] = readers_.must[root] = true;
    readers_.touch(root, step);
    if (step < s_.last[root]) return;
    s_.last[root] = step;
    s_.ends_in_order[root] = false;
  }

  const Tape& tape_;
  const Recording& recording_;
  Schedule& s_;
  Readers readers_;
  std::vector<bool> here_;             // computed in its step because another value there needs it
  std::vector<std::size_t> repeated_;  // of each step: values computed again in it
};

}  // namespace

void decide_memory(const Recording& recording, const Passes& passes, Schedule& schedule) {
  Memory memory(recording, schedule);
  memory.run(false);
  if (passes.recompute && passes.fuse) memory.run(true);
}

}  // namespace tapegrad

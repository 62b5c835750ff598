// A value that other groups read is stored, or they compute it from values that are. Which are
// stored is a cheapest cut between what a group is made from and what is read of it: storing costs
// a write and the reads, computing again costs ops for every group and shift, and more reads.
#include "program/recompute.hpp"

#include <algorithm>
#include <unordered_map>

#include "program/min_cut.hpp"

namespace tapegrad {
namespace {

// In additions of arrays in the first-level cache.
constexpr double kFixed = 1e6;             // ops that are never repeated
constexpr double kShiftedRead = 0.5;       // of an array that the group reads elsewhere, too
constexpr std::int64_t kCached = 1 << 18;  // bytes of an array that stays in the caches of a core
struct Traffic {
  double write, read;
};
constexpr Traffic kNear{2, 0.7}, kFar{8, 3};

constexpr std::size_t kMostReaders = 32;  // groups and shifts at which a value is computed again
// A value may be kept in memory for so many steps more when others are computed from it.
constexpr std::uint32_t kLinger = 3;

double cost_of(const Tape& tape, const Node& n) {
  switch (n.op) {
    case Op::roll:
    case Op::unslice: return 0;
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::negative:
    case Op::square:
    case Op::scale:
    case Op::absolute:
    case Op::maximum:
    case Op::minimum:
    case Op::where: break;
    case Op::divide:
    case Op::reciprocal: return n.dtype == DType::c128 ? kFixed : 5;
    default:
      if (kind_of(n.op) != OpKind::comparison) return kFixed;
  }
  // Of `where` the first operand is the condition, the second like the result.
  const Operand first = tape.operand(n, 0);
  const bool is_complex = !is_constant(first) && tape.meta(first).dtype == DType::c128;
  return n.dtype == DType::c128 || is_complex ? kFixed : 1;
}

class Choice {
 public:
  Choice(const Tape& tape, const Schedule& schedule, Readers& readers, std::uint32_t s)
      : tape_(tape),
        schedule_(schedule),
        readers_(readers),
        step_(s),
        nodes_(schedule.steps[s].nodes),
        values_(nodes_.size()) {}

  std::vector<NodeId> run() {
    bool any = false;
    for (std::size_t k = 0; k < nodes_.size(); ++k) {
      const NodeId id = nodes_[k];
      at_[id] = k;
      for_operands(id, [&](Operand o) {
        if (const auto found = at_.find(o); found != at_.end())
          values_[k].operands.push_back(found->second);
      });
      any = any || (!readers_.must[nodes_[k]] && !readers_.demands[nodes_[k]].empty());
    }
    if (!any) return {};
    // At first what is made from a value counts as computed again, so it seems to have more readers
    // than it may have. What is stored all the same, and has nothing stored that is made from it,
    // is stored for good; then the next round knows better.
    std::vector<State> states;
    do {
      look();
      states = cut();
    } while (pin(states));
    std::vector<NodeId> chosen;
    for (std::size_t k = 0; k < nodes_.size(); ++k)
      if (states[k] == State::recomputed) chosen.push_back(nodes_[k]);
    return chosen;
  }

 private:
  struct ValueInfo {
    Demands demands;                // by other groups, for itself and for what is made from it
    bool is_fixed = false;          // not computed again
    bool is_computed_here = false;  // whatever is decided
    bool is_pinned = false;
    std::vector<std::size_t> operands;  // in the group
  };
  struct Share {  // of an array that is made elsewhere: how often it may be read in a step
    NodeId root;
    std::uint32_t step;
    double readers;
  };
  enum class State : std::uint8_t { idle, stored, recomputed };  // idle: no other group needs it

  template <class F>
  void for_operands(NodeId id, F&& f) const {
    const Node& n = tape_[id];
    for (int i = 0, count = tape_.operand_count(n); i < count; ++i)
      if (const Operand o = tape_.operand(n, i); !is_constant(o)) f(o);
  }
  bool is_possible(NodeId id, const Demand& d) const {
    return !schedule_.is_windowed(id) ||
           operand_shift(tape_, readers_.shifts, id, d.shift, schedule_.steps[d.step].shape);
  }

  void look() {
    for (std::size_t k = 0; k < nodes_.size(); ++k) {
      values_[k].demands = readers_.demands[nodes_[k]];
      values_[k].is_computed_here = false;
    }
    sharing_.clear();
    for (std::size_t k = nodes_.size(); k-- > 0;) look_at(k);
    for (std::size_t k = nodes_.size(); k-- > 0;)
      if (values_[k].is_computed_here)
        for (const std::size_t o : values_[k].operands) values_[o].is_computed_here = true;
  }
  // Whom a value serves, and whether it could be computed there. Its readers have been seen.
  void look_at(std::size_t k) {
    const NodeId id = nodes_[k];
    ValueInfo& v = values_[k];
    v.is_fixed = v.is_pinned || !can_be_recomputed(id, v.demands);
    v.is_computed_here =
        readers_.must[id] || !schedule_.is_fused(id) || (v.is_fixed && !v.demands.empty());
    if (v.is_fixed) return;
    for (const std::size_t o : v.operands) values_[o].demands.add(v.demands);
    for_operands(id, [&](Operand o) {
      if (!is_outside_array(o)) return;
      for (const Demand& d : v.demands) share(schedule_.root(o), d.step).readers += 1;
    });
  }
  bool pin(const std::vector<State>& states) {
    std::vector<bool> serves_stored(nodes_.size(), false);
    bool any = false;
    for (std::size_t k = nodes_.size(); k-- > 0;) {
      ValueInfo& v = values_[k];
      const bool stored = states[k] == State::stored && !v.is_fixed;
      if (stored && !serves_stored[k]) any = v.is_pinned = true;
      if (stored || serves_stored[k])
        for (const std::size_t o : v.operands) serves_stored[o] = true;
    }
    return any;
  }

  bool can_be_recomputed(NodeId id, const Demands& demands) const {
    if (readers_.must[id] || !schedule_.is_fused(id) || schedule_.kinds[id] == NodeKind::copy ||
        demands.size() > kMostReaders || cost_of(tape_, tape_[id]) >= kFixed)
      return false;
    bool possible = true;
    for (const Demand& d : demands) possible = possible && is_possible(id, d);
    if (!demands.empty())
      for_operands(id, [&](Operand o) { possible = possible && is_alive(o, demands.back().step); });
    return possible;
  }
  // Values of this group may be kept for as long as they are read.
  bool is_alive(Operand o, std::uint32_t step) const {
    const Operand root = schedule_.root(o);
    return at_.contains(root) || schedule_.kinds[root] == NodeKind::leaf ||
           readers_.last[root] + kLinger >= step;
  }

  // ---- costs ----

  Traffic traffic(NodeId id) const {
    const Meta m = tape_.meta(id);
    return m.shape.product() * itemsize(m.dtype) <= kCached ? kNear : kFar;
  }
  double store_cost(std::size_t k) const {
    const NodeId id = nodes_[k];
    double cost = readers_.must[id] ? 0 : traffic(id).write;
    const std::uint32_t* previous = nullptr;
    for (const Demand& d : values_[k].demands) {
      const bool again = previous && *previous == d.step;
      cost += again || readers_.is_touched(id, d.step) ? kShiftedRead : traffic(id).read;
      previous = &d.step;
    }
    return cost;
  }
  bool is_outside_array(Operand o) const {
    const Operand root = schedule_.root(o);
    return !at_.contains(root) && !tape_.meta(root).shape.empty();
  }
  // The first read of an array in a step is shared by all that may read it there.
  double read_cost(NodeId root, std::uint32_t step) const {
    if (readers_.is_touched(root, step)) return kShiftedRead;
    return std::max(kShiftedRead, traffic(root).read / share(root, step).readers);
  }
  Share& share(NodeId root, std::uint32_t step) const {
    for (Share& s : sharing_)
      if (s.root == root && s.step == step) return s;
    return sharing_.emplace_back(Share{root, step, 0});
  }
  // If a value is not computed here any more, one of its readers does so in its stead.
  double recompute_cost(std::size_t k) const {
    const NodeId id = nodes_[k];
    const Demands& demands = values_[k].demands;
    double cost = 0;
    for (auto d = demands.begin(); d != demands.end(); ++d) {
      if (d == demands.begin() && !values_[k].is_computed_here) continue;
      cost += cost_of(tape_, tape_[id]);
      for_operands(id, [&](Operand o) {
        if (is_outside_array(o)) cost += read_cost(schedule_.root(o), d->step);
      });
    }
    return cost;
  }

  std::vector<State> cut() const {
    const std::size_t n = nodes_.size(), source = 2 * n, sink = 2 * n + 1;
    MinCut network(2 * n + 2);  // of each value: made, and had
    for (std::size_t k = 0; k < n; ++k) {
      const ValueInfo& v = values_[k];
      if (v.demands.empty()) continue;
      network.add(source, 2 * k, v.is_fixed ? MinCut::kInfinite : recompute_cost(k));
      network.add(2 * k, 2 * k + 1, store_cost(k));
      if (!readers_.demands[nodes_[k]].empty()) network.add(2 * k + 1, sink, MinCut::kInfinite);
      if (v.is_fixed) continue;
      for (const std::size_t o : v.operands) network.add(2 * o + 1, 2 * k, MinCut::kInfinite);
    }
    const std::vector<bool> above = network.separate(source, sink);
    std::vector<State> states(n, State::idle);
    for (std::size_t k = 0; k < n; ++k)
      if (!values_[k].demands.empty() && !above[2 * k + 1])
        states[k] = above[2 * k] ? State::stored : State::recomputed;
    return states;
  }

  const Tape& tape_;
  const Schedule& schedule_;
  Readers& readers_;
  const std::uint32_t step_;
  const std::vector<NodeId>& nodes_;
  std::vector<ValueInfo> values_;
  std::unordered_map<NodeId, std::size_t> at_;  // position in the group
  mutable std::vector<Share> sharing_;
};

}  // namespace

std::vector<NodeId> recomputed_values(const Tape& tape, const Schedule& schedule, Readers& readers,
                                      std::uint32_t s) {
  return Choice(tape, schedule, readers, s).run();
}

}  // namespace tapegrad

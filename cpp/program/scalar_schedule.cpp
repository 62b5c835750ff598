// Compiling scalar code: which ops run one by one, which as vectors, which as chains.
#include "program/scalar_schedule.hpp"

#include <algorithm>

namespace tapegrad {
namespace scalar {
namespace {

// Below these lengths single instructions are faster (measured).
constexpr std::size_t kShortProgram = 192, kShortChain = 12, kShortVector = 40, kShortCalls = 4;
// A component whose chains could also be run level by level, this many side by side, is.
constexpr std::size_t kWide = 64;

class Scheduler {
 public:
  explicit Scheduler(const Nodes& nodes) : n_(nodes) {}

  ScalarSchedule run() {
    for (NodeIndex i = 0; i < n_.nodes.size(); ++i)
      if (n_.nodes[i].code != kDead) s_.order.push_back(i);
    if (s_.order.size() < kShortProgram) {
      add_step(ScalarStep::Kind::serial, 0, s_.order.size());
      return std::move(s_);
    }
    roles_ = find_roles(n_);
    if (roles_.found) add_components();
    else add_agenda();
    return std::move(s_);
  }

 private:
  void add_components() {
    rank_.resize(n_.nodes.size());
    local_role_.assign(roles_.size.size(), kDead);
    std::vector<std::uint32_t> component(s_.order.size()), begins;
    for (std::size_t k = 0; k < component.size(); ++k) component[k] = component_of(s_.order[k]);
    permute(0, order_by_key(component, static_cast<std::uint32_t>(roles_.cyclic.size()), begins));
    for (std::size_t c = 0; c + 1 < begins.size(); ++c)
      if (roles_.cyclic[c]) add_cyclic(begins[c], begins[c + 1]);
      else add_independent(begins[c], begins[c + 1]);
    s_.role = std::move(roles_.role);
    s_.role_size = std::move(roles_.size);
  }
  // Equal ops come side by side, but their operands lie anywhere: vectors pay where ops are calls.
  void add_agenda() {
    std::size_t begin = 0;
    for (const std::size_t end : order_by_agenda(n_, s_.order)) {
      if (n_.nodes[s_.order[begin]].code >= kInline) add_independent(begin, end);
      else add_step(ScalarStep::Kind::serial, begin, end);
      begin = end;
    }
  }

  std::uint32_t component_of(NodeIndex i) const { return roles_.component[roles_.role[i]]; }
  std::span<const NodeIndex> members(std::size_t begin, std::size_t end) const {
    return std::span(s_.order).subspan(begin, end - begin);
  }

  // Puts order[begin + by[k]] at begin + k.
  void permute(std::size_t begin, const std::vector<std::uint32_t>& by) {
    std::vector<NodeIndex> moved(by.size());
    for (std::size_t k = 0; k < by.size(); ++k) moved[k] = s_.order[begin + by[k]];
    std::copy(moved.begin(), moved.end(), s_.order.begin() + static_cast<std::ptrdiff_t>(begin));
  }

  void add_step(ScalarStep::Kind kind, std::size_t begin, std::size_t end, int which = 0) {
    const auto to = static_cast<std::uint32_t>(end);
    if (kind == ScalarStep::Kind::serial && !s_.steps.empty() && s_.steps.back().kind == kind)
      s_.steps.back().end = to;
    else
      s_.steps.push_back(
          {kind, static_cast<std::uint8_t>(which), static_cast<std::uint32_t>(begin), to});
  }

  bool worth_a_vector(std::size_t begin, std::size_t end) const {
    const bool call = n_.nodes[s_.order[begin]].code >= kInline;
    return end - begin >= (call ? kShortCalls : kShortVector);
  }
  void add_independent(std::size_t begin, std::size_t end) {
    add_step(worth_a_vector(begin, end) ? ScalarStep::Kind::vector : ScalarStep::Kind::serial,
             begin, end);
  }
  void add_cyclic(std::size_t begin, std::size_t end) {
    if (!add_chains(begin, end) && !add_levels(begin, end))
      add_step(ScalarStep::Kind::serial, begin, end);
  }

  // The operand of node i that its own component computes: -1 none, -2 several.
  int inner_operand(NodeIndex i) const {
    int found = -1;
    for (int k = 0; k < 3; ++k) {
      const ValueId v = n_.nodes[i].in[k];
      if (!n_.is_node(v) || component_of(v - n_.externals) != component_of(i)) continue;
      if (found != -1) return -2;
      found = k;
    }
    return found;
  }

  // A component of one role, each of whose ops reads at most one other: one chain or several.
  bool add_chains(std::size_t begin, std::size_t end) {
    const auto all = members(begin, end);
    const std::uint32_t code = n_.nodes[all[0]].code;
    if (all.size() < kShortChain || code >= kInline ||
        roles_.size[roles_.role[all[0]]] != all.size())
      return false;
    int which = -1;
    std::vector<NodeIndex> tail;  // by chain
    std::vector<std::uint32_t> chain(all.size());
    for (std::size_t m = 0; m < all.size(); ++m) {
      const int k = inner_operand(all[m]);
      if (k == -2 || (k >= 0 && which >= 0 && k != which)) return false;
      chain[m] = static_cast<std::uint32_t>(tail.size());
      if (k >= 0) {
        which = k;
        const NodeIndex before = n_.nodes[all[m]].in[k] - n_.externals;
        if (tail[rank_[before]] == before) chain[m] = rank_[before];
      }
      if (chain[m] == tail.size()) tail.push_back(all[m]);
      tail[chain[m]] = all[m];
      rank_[all[m]] = chain[m];
      if (tail.size() > kWide || tail.size() * kShortChain > m + 2 * kWide * kShortChain)
        return false;
    }
    if (tail.size() * kShortChain > all.size()) return false;
    std::vector<std::uint32_t> begins;
    permute(begin, order_by_key(chain, static_cast<std::uint32_t>(tail.size()), begins));
    for (std::size_t c = 0; c < tail.size(); ++c)
      add_step(begins[c + 1] - begins[c] < kShortChain ? ScalarStep::Kind::serial
                                                       : ScalarStep::Kind::chain,
               begin + begins[c], begin + begins[c + 1], which);
    return true;
  }

  // Level by level, each level's ops of one role as a vector, where that holds most of the ops.
  bool add_levels(std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin;
    std::vector<std::uint32_t> level(count), role(count), role_begins, level_begins;
    std::uint32_t levels = 0, roles = 0;
    for (std::size_t m = 0; m < count; ++m) {
      const NodeIndex i = s_.order[begin + m];
      std::uint32_t l = 0;
      for (const ValueId v : n_.nodes[i].in)
        if (n_.is_node(v) && component_of(v - n_.externals) == component_of(i))
          l = std::max(l, rank_[v - n_.externals] + 1);
      rank_[i] = level[m] = l;
      levels = std::max(levels, l + 1);
      std::uint32_t& local = local_role_[roles_.role[i]];
      if (local == kDead) local = roles++;
      role[m] = local;
    }
    if (count < levels * kShortCalls) return false;
    const auto by_role = order_by_key(role, roles, role_begins);
    std::vector<std::uint32_t> sorted(count);
    for (std::size_t m = 0; m < count; ++m) sorted[m] = level[by_role[m]];
    auto by = order_by_key(sorted, levels, level_begins);
    for (auto& m : by) m = by_role[m];
    return add_groups(begin, by, level, role);
  }

  bool add_groups(std::size_t begin, const std::vector<std::uint32_t>& by,
                  const std::vector<std::uint32_t>& level, const std::vector<std::uint32_t>& role) {
    std::vector<std::size_t> ends;
    std::size_t in_vectors = 0;
    for (std::size_t m = 0, first = 0; m < by.size(); ++m) {
      if (m + 1 < by.size() && level[by[m]] == level[by[m + 1]] && role[by[m]] == role[by[m + 1]])
        continue;
      ends.push_back(begin + m + 1);
      if (m + 1 - first >= kShortVector) in_vectors += m + 1 - first;
      first = m + 1;
    }
    if (2 * in_vectors < by.size()) return false;
    permute(begin, by);
    for (const std::size_t end : ends) {
      add_independent(begin, end);
      begin = end;
    }
    return true;
  }

  const Nodes& n_;
  ScalarSchedule s_;
  Roles roles_;
  std::vector<std::uint32_t> rank_;        // by node: scratch for the component at hand
  std::vector<std::uint32_t> local_role_;  // by role: its number in its component
};

}  // namespace

ScalarSchedule schedule_scalars(const Nodes& nodes) { return Scheduler(nodes).run(); }

}  // namespace scalar

ScalarCode compile_scalars(const ScalarProblem& problem) {
  const scalar::Nodes nodes = scalar::select_nodes(problem);
  return scalar::emit_scalars(problem, nodes, scalar::schedule_scalars(nodes));
}

}  // namespace tapegrad

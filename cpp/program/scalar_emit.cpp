// Writing the words of scalar code, and giving values their slots: those of a role side by side, in
// the order in which they are computed, so that vectors read and write runs of memory.
#include <algorithm>

#include "base/error.hpp"
#include "program/scalar_schedule.hpp"

namespace tapegrad::scalar {
namespace {

using Slots = std::vector<SlotIndex>;

// A vector whose operands lie in runs shorter than this on average is gathered by lists.
constexpr std::size_t kShortRun = 48;

std::int64_t distance(SlotIndex from, SlotIndex to) {
  return static_cast<std::int64_t>(to) - static_cast<std::int64_t>(from);
}

class Emitter {
 public:
  Emitter(const ScalarProblem& problem, const Nodes& nodes, const ScalarSchedule& schedule)
      : problem_(problem), n_(nodes), s_(schedule) {
    at_.assign(n_.none + 1, kNoSlot);
    std::copy(problem.external.begin(), problem.external.end(), at_.begin());
    code_.end = problem.first_free;
    code_.words.reserve(4 * schedule.order.size() + 1);
    region_.assign(schedule.role_size.size(), kNoSlot);
  }

  ScalarCode run() {
    for (const ScalarStep& step : s_.steps) {
      const auto all = std::span(s_.order).subspan(step.begin, step.end - step.begin);
      if (step.kind == ScalarStep::Kind::serial) serial(all);
      else runs(step, all);
    }
    put(kEnd);
    code_.slot.assign(n_.nodes.size(), kNoSlot);
    for (NodeIndex i = 0; i < n_.nodes.size(); ++i)
      code_.slot[i] = fixed(i) ? n_.pinned[i] : at_[n_.externals + i];
    return std::move(code_);
  }

 private:
  void put(std::uint32_t word) { code_.words.push_back(word); }
  bool fixed(NodeIndex i) const { return n_.pinned[i] < kTemporary; }
  SlotIndex operand(NodeIndex i, int k) const { return at_[n_.nodes[i].in[k]]; }

  // The next slot of the node's role.
  SlotIndex fresh(NodeIndex i) {
    if (s_.role.empty()) return code_.end++;
    SlotIndex& next = region_[s_.role[i]];
    if (next == kNoSlot) {
      const std::uint32_t size = s_.role_size[s_.role[i]];
      if (size >= 8) code_.end = (code_.end + 7) & ~7u;
      next = code_.end;
      ensure(size < kTemporary - next, "slots of scalar code fit 32 bits");
      code_.end += size;
    }
    return next++;
  }

  // ---- single instructions ----

  void serial(std::span<const NodeIndex> all) {
    NodeIndex last = kDead;  // whose result is in the register
    for (std::size_t m = 0; m < all.size(); ++m) {
      const NodeIndex i = all[m];
      if (n_.nodes[i].code >= kInline) call(i);
      else inline_op(i, last, m + 1 < all.size() && read_only_by(i, all[m + 1]));
      last = i;
    }
  }
  bool read_only_by(NodeIndex i, NodeIndex next) const {
    const ValueId v = n_.externals + i;
    const ScalarNode& reader = n_.nodes[next];
    return n_.uses[v] == 1 && n_.temporary(i) && reader.code < kInline &&
           (reader.in[0] == v || reader.in[1] == v || reader.in[2] == v);
  }
  void inline_op(NodeIndex i, NodeIndex last, bool drop) {
    const ScalarNode& node = n_.nodes[i];
    const int arity = n_.arity(i);
    int form = 0;
    for (int k = arity; last != kDead && k-- > 0;)
      if (node.in[k] == n_.externals + last) form = k + 1;
    put(inline_id(node.code, static_cast<std::uint32_t>(form), !drop));
    for (int k = 0; k < arity; ++k)
      if (k + 1 != form) put(at_[node.in[k]]);
    if (!drop) put(place(i));
  }
  void call(NodeIndex i) {
    const ScalarNode& node = n_.nodes[i];
    const int arity = n_.arity(i);
    put(arity == 1 ? kCall1 : kCall2);
    put(node.code);
    for (int k = 0; k < arity; ++k) put(at_[node.in[k]]);
    put(place(i));
  }
  SlotIndex place(NodeIndex i) {
    return at_[n_.externals + i] = fixed(i) ? n_.pinned[i] : fresh(i);
  }

  // ---- vectors and chains ----

  // Splits a step where an operand leaves its run of slots, if there are few such places.
  void runs(const ScalarStep& step, std::span<const NodeIndex> all) {
    std::vector<NodeIndex> turned;
    if (step.kind == ScalarStep::Kind::vector && descends(all)) {
      turned.assign(all.rbegin(), all.rend());
      all = turned;
    }
    std::vector<std::size_t> ends;
    for (std::size_t first = 0; first < all.size(); first = ends.back()) {
      ends.push_back(run_end(step, all, first));
      if (ends.size() * kShortRun > all.size() + kShortRun) {
        ends.assign(1, all.size());
        break;
      }
    }
    std::size_t first = 0;
    for (const std::size_t end : ends) {
      const auto part = all.subspan(first, end - first);
      if (part.size() < kShortRun / 4 && ends.size() > 1) serial(part);
      else many(step, part);
      first = end;
    }
  }
  bool carried(const ScalarStep& step, int k) const {
    return step.kind == ScalarStep::Kind::chain && k == step.which;
  }
  bool descends(std::span<const NodeIndex> all) const {
    for (int k = 0; k < n_.arity(all[0]); ++k) {
      const SlotIndex a = operand(all[0], k), b = operand(all[1], k), c = operand(all.back(), k);
      if (a != b) return a > b && b >= c;
    }
    return false;
  }
  std::size_t run_end(const ScalarStep& step, std::span<const NodeIndex> all,
                      std::size_t first) const {
    std::size_t end = all.size();
    if (end - first < 3) return end;
    for (int k = 0; k < n_.arity(all[0]); ++k) {
      if (carried(step, k)) continue;
      const auto stride = distance(operand(all[first], k), operand(all[first + 1], k));
      std::size_t m = first + 2;
      while (m < end && distance(operand(all[m - 1], k), operand(all[m], k)) == stride) ++m;
      end = m;
    }
    return end;
  }

  void many(const ScalarStep& step, std::span<const NodeIndex> all) {
    const std::uint32_t code = n_.nodes[all[0]].code;
    const bool chain = step.kind == ScalarStep::Kind::chain;
    const bool every = !chain || std::any_of(all.begin(), all.end() - 1, [&](NodeIndex i) {
      return n_.uses[n_.externals + i] != 1 || !n_.temporary(i);
    });
    put(chain ? kChain : kVector);
    put(code);
    put(static_cast<std::uint32_t>(all.size()));
    if (chain) {
      put(step.which);
      put(every);
      put(operand(all[0], step.which));
    }
    const bool moves = place_all(every ? all : all.last(1));
    Slots slots(all.size());
    for (int k = 0; k < n_.arity(all[0]); ++k) {
      if (carried(step, k)) continue;
      for (std::size_t m = 0; m < all.size(); ++m) slots[m] = operand(all[m], k);
      stream(slots);
    }
    if (moves) move_fixed(all);
  }

  // Gives the results their slots and writes the stream; true if some must be moved afterwards.
  bool place_all(std::span<const NodeIndex> all) {
    const auto pinned =
        std::count_if(all.begin(), all.end(), [&](NodeIndex i) { return fixed(i); });
    const bool direct = static_cast<std::size_t>(pinned) == all.size();
    Slots slots;
    for (const NodeIndex i : all)
      slots.push_back(at_[n_.externals + i] = direct ? n_.pinned[i] : fresh(i));
    stream(slots);
    return pinned > 0 && !direct;
  }
  void move_fixed(std::span<const NodeIndex> all) {
    Slots from, to;
    for (const NodeIndex i : all) {
      if (!fixed(i)) continue;
      from.push_back(at_[n_.externals + i]);
      to.push_back(n_.pinned[i]);
    }
    put(kVector);
    put(static_cast<std::uint32_t>(Inline::positive));
    put(static_cast<std::uint32_t>(from.size()));
    stream(to);
    stream(from);
  }

  void stream(const Slots& slots) {
    const std::int64_t stride = slots.size() > 1 ? distance(slots[0], slots[1]) : 0;
    bool linear = std::abs(stride) < 0x7fffffff;
    for (std::size_t m = 2; linear && m < slots.size(); ++m)
      linear = distance(slots[m - 1], slots[m]) == stride;
    put(linear ? slots[0] : static_cast<std::uint32_t>(slots.size()));
    put(linear ? static_cast<std::uint32_t>(stride) : kListed);
    if (!linear) code_.words.insert(code_.words.end(), slots.begin(), slots.end());
  }

  const ScalarProblem& problem_;
  const Nodes& n_;
  const ScalarSchedule& s_;
  ScalarCode code_;
  Slots at_;      // by value: where the code reads it
  Slots region_;  // by role: its next slot
};

}  // namespace

ScalarCode emit_scalars(const ScalarProblem& problem, const Nodes& nodes,
                        const ScalarSchedule& schedule) {
  return Emitter(problem, nodes, schedule).run();
}

}  // namespace tapegrad::scalar

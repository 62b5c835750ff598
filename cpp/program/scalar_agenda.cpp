// List scheduling of code without loops: of the ops whose operands are known, those of the code
// that has the most of them come next. So rare ops wait until there are many, and the processor,
// which cannot remember the way through long irregular code, guesses the next instruction right.
#include "program/scalar_schedule.hpp"

namespace tapegrad::scalar {
namespace {

class Agenda {
 public:
  Agenda(const Nodes& nodes, std::span<NodeIndex> order) : n_(nodes), order_(order) {
    unknown_.assign(n_.nodes.size(), 0);
    std::vector<std::uint32_t> read;
    for (const NodeIndex i : order) {
      for (const ValueId v : n_.nodes[i].in) {
        if (!n_.is_node(v)) continue;
        read.push_back(v - n_.externals);
        readers_.push_back(i);
        ++unknown_[i];
      }
      if (unknown_[i] == 0) add(i);
    }
    const auto by = order_by_key(read, static_cast<std::uint32_t>(n_.nodes.size()), begins_);
    std::vector<NodeIndex> sorted(by.size());
    for (std::size_t k = 0; k < by.size(); ++k) sorted[k] = readers_[by[k]];
    readers_.swap(sorted);
  }

  std::vector<std::size_t> run() {
    std::vector<std::size_t> ends;
    std::vector<NodeIndex> group;
    for (std::size_t done = 0; done < order_.size(); ends.push_back(done)) {
      group.swap(ready_[take_fullest()]);
      for (const NodeIndex i : group) order_[done++] = i;
      for (const NodeIndex i : group)
        for (std::uint32_t k = begins_[i]; k < begins_[i + 1]; ++k)
          if (--unknown_[readers_[k]] == 0) add(readers_[k]);
      group.clear();
    }
    return ends;
  }

 private:
  void add(NodeIndex i) {
    const std::uint32_t code = n_.nodes[i].code;
    if (ready_[code].empty()) waiting_.push_back(code);
    ready_[code].push_back(i);
  }
  std::uint32_t take_fullest() {
    std::size_t best = 0;
    for (std::size_t k = 1; k < waiting_.size(); ++k)
      if (ready_[waiting_[k]].size() > ready_[waiting_[best]].size()) best = k;
    const std::uint32_t code = waiting_[best];
    waiting_[best] = waiting_.back();
    waiting_.pop_back();
    return code;
  }

  const Nodes& n_;
  std::span<NodeIndex> order_;
  std::vector<std::uint32_t> unknown_;  // by node: operands still to come
  std::vector<std::uint32_t> begins_;   // by node: where its readers begin
  std::vector<NodeIndex> readers_;
  std::vector<NodeIndex> ready_[kCodeArities.size()];  // by code
  std::vector<std::uint32_t> waiting_;                 // codes that have ready ops
};

}  // namespace

std::vector<std::size_t> order_by_agenda(const Nodes& nodes, std::span<NodeIndex> order) {
  return Agenda(nodes, order).run();
}

}  // namespace tapegrad::scalar

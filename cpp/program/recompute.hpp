// Which values of a group are cheaper to compute again where they are read than to store. Asked by
// decide_memory, group after group, from the last one to the first.
#pragma once

#include <algorithm>
#include <vector>

#include "program/shift.hpp"

namespace tapegrad {

// A group that reads a value, and where.
struct Demand {
  std::uint32_t step;
  ShiftId shift;
  auto operator<=>(const Demand&) const = default;
};

// Sorted.
class Demands : public std::vector<Demand> {
 public:
  void add(Demand d) {
    const auto at = std::lower_bound(begin(), end(), d);
    if (at == end() || *at != d) insert(at, d);
  }
  void add(const Demands& others) {
    for (const Demand& d : others) add(d);
  }
};

// What is known of the readers of values when their group is asked about.
struct Readers {
  Shifts shifts;
  std::vector<Demands> demands;  // of each node: by other groups, which could compute it
  std::vector<bool> must;        // of each node: it is read by others, which need it in memory
  std::vector<std::vector<std::uint32_t>> touched;  // of each root: steps that read it anyway
  std::vector<std::uint32_t> last;  // of each root: its last reader if nothing is recomputed

  bool is_touched(NodeId root, std::uint32_t step) const {
    return std::find(touched[root].begin(), touched[root].end(), step) != touched[root].end();
  }
  void touch(NodeId root, std::uint32_t step) {
    if (!is_touched(root, step)) touched[root].push_back(step);
  }
};

// The nodes of step `s`, a group, that should not be stored.
std::vector<NodeId> recomputed_values(const Tape& tape, const Schedule& schedule, Readers& readers,
                                      std::uint32_t s);

}  // namespace tapegrad

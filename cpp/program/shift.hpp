// Where a group reads a value that it does not walk in step: rolls, slices and padded slices
// between the two add up to one shift. Used where memory is decided on and by the planner.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <vector>

#include "program/schedule.hpp"

namespace tapegrad {

// On each axis the group's index i becomes i + by, or base + (i + by) mod period.
struct Shift {
  struct Axis {
    std::int64_t by = 0, period = 0, base = 0;
    auto operator<=>(const Axis&) const = default;
  };
  std::vector<Axis> axes;  // none: every index is the group's own
  auto operator<=>(const Shift&) const = default;

  bool none() const { return axes.empty(); }
  Axis on(std::size_t axis) const { return none() ? Axis{} : axes[axis]; }
};

// Shifts by number, so that they are cheap to copy and to compare. 0 is none.
using ShiftId = std::uint32_t;
inline constexpr ShiftId kNoShift = 0;

class Shifts {
 public:
  Shifts() { id_of({}); }
  const Shift& operator[](ShiftId id) const { return all_[id]->first; }
  ShiftId id_of(Shift shift) {
    const auto [at, fresh] = ids_.try_emplace(std::move(shift), static_cast<ShiftId>(all_.size()));
    if (fresh) all_.push_back(at);
    return at->second;
  }

 private:
  std::map<Shift, ShiftId> ids_;
  std::vector<std::map<Shift, ShiftId>::const_iterator> all_;
};

// `node` is a roll, a slice or an unslice that a group of this shape reads at `shift`: where the
// group reads its operand. Nothing if one shift cannot say it. Outside of an unslice's slice the
// operand is not there.
std::optional<ShiftId> operand_shift(const Tape& tape, Shifts& shifts, NodeId node, ShiftId shift,
                                     const Dims& group);

struct Reading {
  NodeId value;
  ShiftId shift;
};
// `o`, read at `shift`, may be a view: the computed value behind it, and where that is read.
// Nothing if what is behind it is memory, or seen in another order.
std::optional<Reading> computed_value(const Tape& tape, const Schedule& schedule, Shifts& shifts,
                                      Operand o, ShiftId shift, const Dims& group);

// What a node reads through an operand when a group computes it at a shift.
struct Source {
  bool is_possible = true;          // else the node cannot be computed there
  std::optional<Reading> computed;  // the value behind the operand if a group computed it; nothing
                                    // if it is found in memory only
};
Source source_of(const Tape& tape, const Schedule& schedule, Shifts& shifts, NodeId node, Operand o,
                 ShiftId shift, const Dims& group);

}  // namespace tapegrad

// Composition of shifts.
#include "program/shift.hpp"

#include <algorithm>

namespace tapegrad {
namespace {

using Axis = Shift::Axis;

std::int64_t floor_mod(std::int64_t a, std::int64_t n) { return ((a % n) + n) % n; }

// After a roll by `by` of an axis of length n; `length` is that of the group.
std::optional<Axis> rolled(Axis axis, std::int64_t by, std::int64_t n, std::int64_t length) {
  if (n == 0 || by % n == 0) return axis;
  if (axis.period != 0 && (axis.period != n || axis.base != 0)) return {};
  const std::int64_t start = floor_mod(axis.by - by, n);
  if (start == 0 && length <= n) return Axis{};
  return Axis{start, n, 0};
}

std::optional<Axis> sliced(Axis axis, std::int64_t start, std::int64_t step) {
  if (step != 1) return {};
  (axis.period != 0 ? axis.base : axis.by) += start;
  return axis;
}

// A part of the axis from `start` on, or all of it.
std::optional<Axis> unsliced(Axis axis, std::int64_t start, bool whole) {
  if (whole) return axis;
  if (axis.period != 0) return {};
  axis.by -= start;
  return axis;
}

}  // namespace

std::optional<ShiftId> operand_shift(const Tape& tape, Shifts& shifts, NodeId node, ShiftId shift,
                                     const Dims& group) {
  const Node n = tape[node];
  const Dims inner = tape.meta(n.a).shape;
  const Dims outer = tape.meta(node).shape;
  std::int64_t immediate = 0;
  const Attrs attrs = tape.attrs(n, immediate);
  Shift result{std::vector<Axis>(inner.size())};
  for (std::size_t i = 0; i < inner.size(); ++i) {
    const Axis axis = shifts[shift].on(i);
    const auto found = n.op == Op::roll    ? rolled(axis, attrs[i], inner[i], group[i])
                       : n.op == Op::slice ? sliced(axis, attrs[3 * i], attrs[3 * i + 1])
                                           : unsliced(axis, attrs[3 * i], inner[i] == outer[i]);
    if (!found) return {};
    result.axes[i] = *found;
  }
  if (std::all_of(result.axes.begin(), result.axes.end(), [](Axis a) { return a == Axis{}; }))
    result.axes.clear();
  return shifts.id_of(std::move(result));
}

std::optional<Reading> computed_value(const Tape& tape, const Schedule& schedule, Shifts& shifts,
                                      Operand o, ShiftId shift, const Dims& group) {
  while (schedule.kinds[o] == NodeKind::view) {
    const Node n = tape[o];
    if (n.op == Op::slice) {
      const auto inner = operand_shift(tape, shifts, o, shift, group);
      if (!inner) return {};
      shift = *inner;
    } else if (n.op != Op::alias && n.op != Op::stop_gradient) {
      return {};
    }
    o = n.a;
  }
  if (!schedule.is_fused(o) || schedule.kinds[o] == NodeKind::copy) return {};
  return Reading{o, shift};
}

Source source_of(const Tape& tape, const Schedule& schedule, Shifts& shifts, NodeId node, Operand o,
                 ShiftId shift, const Dims& group) {
  const NodeKind kind = schedule.kinds[node];
  if (kind == NodeKind::windowed) {
    const auto inner = operand_shift(tape, shifts, node, shift, group);
    if (!inner) return {false, {}};
    return {true, computed_value(tape, schedule, shifts, o, *inner, group)};
  }
  if (kind != NodeKind::fused && kind != NodeKind::reduction) return {};
  const bool in_step = kind == NodeKind::reduction || tape.meta(o).shape == tape.meta(node).shape;
  if (!in_step) return {};
  return {true, computed_value(tape, schedule, shifts, o, shift, group)};
}

}  // namespace tapegrad

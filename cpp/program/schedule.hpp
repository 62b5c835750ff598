// Which nodes of a recording are computed together, in which order. Called by the planner.
#pragma once

#include <vector>

#include "program/plan.hpp"

namespace tapegrad {

enum class NodeKind : std::uint8_t {
  dead,
  leaf,       // input or constant
  view,       // a part of another node's memory
  scalar,     // float64 without axes, or the truth of a comparison of such; vectors made of them
  fused,      // elementwise, in a group
  windowed,   // a roll or a padded slice: a load of a group
  copy,       // a view that strides cannot express: a load of a group
  reduction,  // of what a group computes
  op,         // called as a whole
};

// A node's memory in terms of the node that owns it.
struct View {
  Operand root = kNoOperand;
  std::int64_t offset = 0;  // bytes
  Dims shape, strides;
};

struct Schedule {
  struct Step {
    Plan::Kind kind;
    Dims shape;                 // of a group
    std::vector<NodeId> nodes;  // ascending
  };
  std::vector<Step> steps;
  std::vector<NodeKind> kinds;
  std::vector<std::uint32_t> step_of;
  std::vector<bool> is_stored;             // has memory of its own
  std::vector<bool> in_scalars;            // read element by element by scalar code
  std::vector<View> views;                 // nodes that own their memory in order have none
  std::vector<std::uint32_t> view_number;  // of each node, or kNoView
  std::vector<std::uint32_t> last;         // last step that reads the memory of a root
  std::vector<bool> is_recomputed;         // by each group that reads it, rather than stored
  // Whether all that the last step reads of a root is the whole, in order, as a group walks it.
  std::vector<bool> ends_in_order;

  static constexpr std::uint32_t kNoView = 0xffffffffu;
  void set_view(NodeId id, View v) {
    view_number[id] = static_cast<std::uint32_t>(views.size());
    views.push_back(std::move(v));
  }
  View view(const Tape& tape, Operand o) const {
    if (view_number[o] != kNoView) return views[view_number[o]];
    const Meta m = tape.meta(o);
    return {o, 0, m.shape, Array::contiguous_strides(m.shape, itemsize(m.dtype))};
  }

  NodeKind kind_of(NodeId id) const { return kinds[id]; }
  bool is_windowed(NodeId id) const { return kinds[id] == NodeKind::windowed; }
  bool is_fused(NodeId id) const {
    return kinds[id] == NodeKind::fused || kinds[id] == NodeKind::windowed ||
           kinds[id] == NodeKind::copy;
  }
  // The node whose memory holds the value.
  Operand root(Operand o) const {
    return kinds[o] == NodeKind::view ? views[view_number[o]].root : o;
  }
};

Schedule make_schedule(const Recording& recording, const Passes& passes);

// The second half of it: which values are stored, which are computed again where they are read, and
// how long memory is needed.
void decide_memory(const Recording& recording, const Passes& passes, Schedule& schedule);

}  // namespace tapegrad

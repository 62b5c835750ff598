// Tangents or adjoints of a segment as numbers: scalars in flat rows, arrays by slot.
#pragma once

#include <vector>

#include "sweeps/numeric.hpp"
#include "sweeps/scalar.hpp"

namespace tapegrad {

class NumericStore {
 public:
  // lanes 0: one direction, without a leading axis.
  NumericStore(const Tape& tape, NodeId begin, NodeId end, std::int64_t lanes);

  bool holds(Operand o) const { return rows.holds(o); }
  bool has(NodeId id) const;     // false: zero
  bool wants(Operand o) const {  // an adjoint
    return holds(o) && tape_[o].op != Op::constant && !tape_[o].has(Node::kDetached);
  }
  // A handle; of a scalar a copy.
  LaneArray get(NodeId id) const;
  // The same, and the store forgets it: the way to get an exclusive array.
  LaneArray take(NodeId id);
  void set(NodeId id, LaneArray value);
  // Adds, in place where the store holds the only handle.
  void add(NodeId id, LaneArray value);
  // The array stored for `id`, exclusive and contiguous, zeros made if there is none: for writing.
  Array& writable(NodeId id);
  // Contiguous results for the user, zeros where there is nothing.
  std::vector<Array> collect(const std::vector<NodeId>& nodes);
  bool batched() const { return lanes_ > 0; }

  // Ops that read or overwrite a part of operand 0 cost the part in an adjoint sweep, not the
  // whole: true if `pull_part` may do the node (one direction, one dtype).
  bool pulls_part(const Node& n) const;
  // Hands the adjoint `g` of such a node on; `g` is used up.
  void pull_part(const Node& n, Array g);

  ScalarRows rows;

 private:
  LaneArray& slot(NodeId id) { return slots_[tape_[id].slot - first_slot_]; }
  const LaneArray& slot(NodeId id) const { return slots_[tape_[id].slot - first_slot_]; }

  const Tape& tape_;
  std::int64_t lanes_;
  SlotId first_slot_;
  std::vector<LaneArray> slots_;
};

}  // namespace tapegrad

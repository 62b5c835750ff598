// Which elements count for the outputs of a tape, and which move with its inputs. Both are found by
// sweeps like those of derivatives, with counts in the place of adjoints and tangents: positive
// numbers, and zero for what was left out. Used where a zero meets an infinite slope (poles.hpp).
#pragma once

#include <functional>
#include <vector>

#include "ops/poles.hpp"
#include "sweeps/rule_on_tape.hpp"

namespace tapegrad {

// One and zero for what is not zero and what is, in the dtype of the term.
Term counted(Term t);
// A literal, 1 or 0, if all elements count or none does.
std::optional<Term> uniform(const Array& counts);

// Whether the elements of a node count, as far as the tape tells without numbers. `none`: nobody
// needs to know, because no output is made of the node, or the node of no pole.
enum class Counting : std::uint8_t { none, all, some };

// For the nodes [begin, end) of a tape that outputs are made of.
class CountingPlan {
 public:
  CountingPlan(const Frame& f, NodeId begin, NodeId end, const std::vector<NodeId>& outputs,
               Counting of_outputs);
  Counting of(Operand o) const {
    return o - begin_ < of_.size() ? of_[o - begin_] : Counting::none;
  }
  bool needs_sweep() const { return needs_sweep_; }  // some poles are neither all nor none
  NodeId begin() const { return begin_; }
  NodeId end() const { return begin_ + static_cast<NodeId>(of_.size()); }

 private:
  NodeId begin_;
  std::vector<Counting> of_;
  bool needs_sweep_ = false;
};

// Where a vanishing tangent of an operand is none the worse for the pole of the node: as if the
// operand did not move.
class KeptTangents {
 public:
  KeptTangents(const Tape& tape, NodeId begin, NodeId end)
      : tape_(tape), begin_(begin), rough_(rough_nodes(tape, begin, end)) {}
  bool at(NodeId id, Operand o) const {
    const bool rough = o - begin_ < rough_.size() && rough_[o - begin_];
    return passes_squares(tape_, tape_[id]) && !rough;
  }

 private:
  const Tape& tape_;
  NodeId begin_;
  std::vector<bool> rough_;
};

// Likewise which nodes move with the inputs, if all elements of those do. `none`: does not move.
class MovingPlan {
 public:
  MovingPlan(const Frame& f, NodeId begin, NodeId end, const std::vector<NodeId>& inputs);
  Counting of(Operand o) const {
    return o - begin_ < of_.size() ? of_[o - begin_] : Counting::none;
  }
  bool needs_sweep() const { return needs_sweep_; }  // some tangents may be lost in part

 private:
  Counting found(const Frame& f, const Node& n) const;

  NodeId begin_;
  std::vector<Counting> of_;
  bool needs_sweep_ = false;
};

using Keep = std::function<void(NodeId, Term)>;

// From the outputs down, in a frame that holds what they are seeded with: keep(id, counts) gets
// those of each node that has a pole and counts in part.
void counting_sweep(Frame& f, const CountingPlan& plan, const Keep& keep);

// From the inputs up, likewise: keep(o, counts) gets those of the operands of each node that may
// lose a tangent.
void moving_sweep(Frame& f, NodeId begin, NodeId end, const Keep& keep);

}  // namespace tapegrad

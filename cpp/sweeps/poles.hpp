// Zero adjoints at infinite slopes. Where the slope of an op is infinite and the adjoint is zero,
// their product depends on what the zero means. If the element does not count, because `where` took
// the other branch or a slice left it out, nothing is handed on. If it counts and its adjoint
// happens to vanish, as that of sqrt(x) in sqrt(x)**2 at 0, the slope is lost: NaN, never 0.
//
// Which elements count is found by a sweep of its own, from the outputs down, with ones and zeros
// in the place of adjoints. Sweeps in numbers make it when they meet such a zero; sweeps that
// append to a program make it first, over the nodes where numbers will decide.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "ops/poles.hpp"
#include "sweeps/norm.hpp"
#include "sweeps/numeric_frame.hpp"
#include "sweeps/sweeps.hpp"

namespace tapegrad {

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

// The sweep itself, in a frame that holds what the outputs are seeded with: keep(id, counts) gets
// those of each node that has a pole and counts in part.
void counting_sweep(Frame& f, const CountingPlan& plan,
                    const std::function<void(NodeId, Term)>& keep);

// The adjoint step of an elementwise node with poles. `counts` may be a literal.
void pole_step(Frame& f, NodeId id, Term g, Term counts);

// In numbers: whether a node with adjoint g needs `pole_step`, because the slope is not finite
// where g is zero, or of the root of a sum of squares. `lanes`: as of the sweep.
bool meets_pole(const Frame& f, NodeId id, const LaneArray& g, std::int64_t lanes);

// Which elements count in one sweep in numbers, found at the first question.
class NumericCounts {
 public:
  // In one direction all elements of the outputs count, else those whose seeds are not zero.
  NumericCounts(const Tape& tape, NodeId begin, NodeId end, std::vector<Seed> seeds,
                std::int64_t lanes)
      : tape_(tape), begin_(begin), end_(end), seeds_(std::move(seeds)), lanes_(lanes) {}
  Term of(NodeId id, NumericAlgebra& numbers);

 private:
  void find();

  const Tape& tape_;
  NodeId begin_, end_;
  std::vector<Seed> seeds_;
  std::int64_t lanes_;
  std::optional<CountingPlan> plan_;
  std::unordered_map<NodeId, LaneArray> found_;
};

// One and zero for what is not zero and what is, in the dtype of the term.
Term counted(Term t);
// A literal, 1 or 0, if all elements count or none does.
std::optional<Term> uniform(const Array& counts);

}  // namespace tapegrad

// Zero adjoints and tangents at infinite slopes. Where the slope of an op is infinite and the
// adjoint is zero, their product depends on what the zero means. If the element does not count,
// because `where` took the other branch or a slice left it out, nothing is handed on. If it counts
// and its adjoint happens to vanish, as that of sqrt(x) in sqrt(x)**2 at 0, the slope is lost: NaN,
// never 0.
//
// A zero tangent likewise: it is of an element that does not move with the inputs, or vanishes.
//
// Which elements count or move is found by a sweep of its own (counting.hpp). Sweeps in numbers
// make it when they meet such a zero; sweeps that append to a program make it first, over the nodes
// where numbers will decide.
#pragma once

#include <unordered_map>

#include "sweeps/counting.hpp"
#include "sweeps/numeric_frame.hpp"
#include "sweeps/roots.hpp"
#include "sweeps/sweeps.hpp"

namespace tapegrad {

// The adjoint step of an elementwise node with poles. `counts` may be a literal.
void pole_step(Frame& f, NodeId id, Term g, Term counts);

// An adjoint or tangent times a slope where the element counts; where it does not, a zero stops.
// `counts` may be a literal.
Term past_pole(Term seed, Term slope, Term counts);

// In numbers: whether a slope is not finite where g is zero.
bool meets_pole(NumericAlgebra& numbers, Term g, Term slope);
// Whether a node with adjoint g needs `pole_step`, because the slope is not finite where g is zero,
// or of the root of a sum of squares. `lanes`: as of the sweep.
bool meets_pole(const Frame& f, NodeId id, const LaneArray& g, std::int64_t lanes);
// Whether the slope by operand i is not finite where its tangent t is zero.
bool meets_pole(const Tape& tape, NodeId id, int i, const LaneArray& t, std::int64_t lanes);

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

// Which elements move in one tangent sweep in numbers: those of the inputs whose seeds are not
// zero, and what is made of them.
class NumericMoves {
 public:
  NumericMoves(const Tape& tape, NodeId begin, NodeId end, std::int64_t lanes)
      : tape_(tape), begin_(begin), end_(end), lanes_(lanes) {}
  void seed(const std::vector<Seed>& seeds) { seeds_ = seeds; }
  Term of(NodeId id, Operand o, NumericAlgebra& numbers);  // an operand, as node `id` sees it

 private:
  void find();

  const Tape& tape_;
  NodeId begin_, end_;
  std::int64_t lanes_;
  std::vector<Seed> seeds_;
  std::optional<KeptTangents> kept_;
  std::optional<std::unordered_map<NodeId, LaneArray>> found_;
};

}  // namespace tapegrad

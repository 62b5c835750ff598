// The sweeps over a segment [begin, end) of a tape. `lanes` K > 0 runs K directions at once: seeds
// and results then carry a leading axis of length K. Called by the bindings and by the C++ API.
#pragma once

#include <vector>

#include "tape/tape.hpp"

namespace tapegrad {

struct Seed {
  NodeId node;
  Array value;  // shape and dtype of the node, with the lanes in front
};

// Adjoints of `inputs` for the cotangents `seeds` of outputs; zeros where nothing depends on them.
std::vector<Array> adjoint_sweep(const Tape& tape, NodeId begin, const std::vector<Seed>& seeds,
                                 const std::vector<NodeId>& inputs, std::int64_t lanes);

// Adjoints of every node of the segment (null: zero), for drawing and debugging.
std::vector<Array> all_adjoints(const Tape& tape, NodeId begin, const Seed& seed);

// Tangents of `outputs` for tangents `seeds` of inputs.
std::vector<Array> tangent_sweep(const Tape& tape, NodeId begin, const std::vector<Seed>& seeds,
                                 const std::vector<NodeId>& outputs, std::int64_t lanes);

// Forward over reverse. `adjoint_seed` is the (unbatched) cotangent of one output, `tangent_seeds`
// the directions of the inputs, all of which are differentiated.
// Without `gradients` these are left out, and so is the work that only they need.
struct SecondOrder {
  Array output_tangent;
  std::vector<Array> gradients;  // of inputs, one direction
  std::vector<Array> products;   // tangents of the gradients, with the lanes
};
SecondOrder second_order_sweep(const Tape& tape, NodeId begin, const Seed& adjoint_seed,
                               const std::vector<Seed>& tangent_seeds, std::int64_t lanes,
                               bool gradients = true);

// A value on a tape: an operand if it depends on an input, and the value itself.
struct Recorded {
  Operand operand = kNoOperand;
  Array value;
};
struct RecordedSeed {
  NodeId node;
  Recorded value;
};
// The same two sweeps, appended to `target` (which may be `source` itself: then results depend on
// its inputs too). Values of another source become constants.
std::vector<Recorded> recorded_adjoint_sweep(const Tape& source, Tape& target, NodeId begin,
                                             const std::vector<RecordedSeed>& seeds,
                                             const std::vector<NodeId>& inputs,
                                             std::int64_t lanes = 0);
std::vector<Recorded> recorded_tangent_sweep(const Tape& source, Tape& target, NodeId begin,
                                             const std::vector<RecordedSeed>& seeds,
                                             const std::vector<NodeId>& outputs,
                                             std::int64_t lanes = 0);

}  // namespace tapegrad

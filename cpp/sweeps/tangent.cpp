// The tangent sweep in numbers.
#include "sweeps/tangent.hpp"

namespace tapegrad {

std::vector<Array> tangent_sweep(const Tape& tape, NodeId begin, const std::vector<Seed>& seeds,
                                 const std::vector<NodeId>& outputs, std::int64_t lanes) {
  NodeId end = begin;
  for (NodeId o : outputs) end = std::max(end, o + 1);
  for (auto& s : seeds) end = std::max(end, s.node + 1);
  TangentFrame frame(tape, begin, end, lanes);
  frame.seed(seeds);
  frame.run(begin, end, outputs, false);
  return frame.tangents.collect(outputs);
}

}  // namespace tapegrad

// Where the first NaN or infinity of a recording comes from: its nodes are computed one by one, as
// they were recorded. Called by the bindings for `explain_nonfinite`.
#pragma once

#include <optional>

#include "program/recording.hpp"

namespace tapegrad {

struct Nonfinite {
  NodeId node;  // finite operands, or one that is itself an input or a constant, gave this value
  Array value;
  std::vector<Array> operands;
  bool reaches_output = false;  // else the NaN or infinity is in no output
};

// The origin of what is not finite in the outputs; if they are finite, the first node that is not;
// nothing if all nodes are finite. `inputs`: arrays of the recording's shapes and dtypes.
std::optional<Nonfinite> first_nonfinite(const Recording& recording, std::span<const Array> inputs);

}  // namespace tapegrad

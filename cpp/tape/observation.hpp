// What a function of recorded numbers has looked at: noted by Var, made into guards of a program.
#pragma once

#include "tape/node.hpp"

namespace tapegrad {

// A comparison and its answer; or, with Op::positive, a number itself. A replay is good only where
// it is seen again.
struct Observation {
  Op op;
  Operand x, y;
  double seen;
};

}  // namespace tapegrad

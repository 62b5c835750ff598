// Which arrays of a program lie in memory with their longest axis innermost instead of the last.
// Called by the scheduler.
#pragma once

#include <vector>

#include "program/recording.hpp"

namespace tapegrad {

// Loops over arrays of points, say 2000 x 8, run along the innermost axis: along 8 numbers they
// cost more bookkeeping than arithmetic, and their sums over the last axis add within a vector. So
// where a program sums or repeats more than it reads and writes in the caller's order, what is
// between gets another order. Of each node: whether it does. `live`: which nodes count.
std::vector<bool> nodes_in_long_order(const Recording& recording, const std::vector<bool>& live);

// The strides of such an array, its longest axis innermost and the others in order.
Dims long_order(const Dims& shape, std::int64_t item);

}  // namespace tapegrad

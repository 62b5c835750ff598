// A batch of any size on a program for a fixed number of instances: part after part, or several at
// once. Called by the bindings.
#pragma once

#include "backends/executable.hpp"

namespace tapegrad {

// An array with the instances in front, contiguous; or one that all instances share.
struct Instances {
  char* data;
  std::int64_t bytes;  // of one instance; 0: shared
};

// Runs `count` instances on a program for `lanes` of them; what is missing in the last part is
// filled up with copies of the last instance. Parts are independent, and threads share them.
// Returns what Executable::run does, of the first part in which a guard does not hold.
std::int64_t run_parts(const Executable& program, std::span<const Instances> inputs,
                       std::span<const Instances> outputs, std::int64_t count, std::int64_t lanes,
                       int threads);

}  // namespace tapegrad

// A program for one instance made into one for many: arrays get a leading axis, one loop does all.
// Called by the bindings, for `vmap` and `batch`.
#pragma once

#include <memory>
#include <vector>

#include "program/recording.hpp"

namespace tapegrad {

struct Batch {
  // Inputs as in the source, the batched ones with the axis in front; outputs likewise. Guards that
  // do not depend on a batched input are guards still; if others do, there is one more output,
  // float64 (instances,): the number of the first guard that an instance fails, -1 if it fails
  // none.
  std::unique_ptr<Recording> recording;
  std::vector<bool> carries;        // of each output of the source: has it the axis?
  std::vector<std::size_t> guards;  // which guard of the source each guard of the recording is
  bool checks = false;              // is there that output?
};

Batch batched(const Recording& source, const std::vector<bool>& inputs, std::int64_t instances,
              const Passes& passes);

}  // namespace tapegrad

// Kernels of elementwise ops: plain function pointers over strided runs, one table entry an op and
// dtype. The bindings put the loops of NumPy's and SciPy's ufuncs in place of ours where they
// exist.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.hpp"
#include "ops/formula.hpp"

namespace tapegrad {

// NumPy's inner-loop signature: arguments then results, element count, strides in bytes.
using Loop = void (*)(char** args, const std::intptr_t* count, const std::intptr_t* strides,
                      void* data);

// Order of the pointers given to the derivative loops.
enum PullArg { kPullOut, kPullAdjoint, kPullX, kPullY, kPullR, kPullArgs };
enum Pull2Arg {
  kPull2Out,
  kPull2OutT,
  kPull2Adjoint,
  kPull2AdjointT,
  kPull2X,
  kPull2XT,
  kPull2Y,
  kPull2YT,
  kPull2R,
  kPull2RT,
  kPull2Args
};

struct Kernel {
  Loop value = nullptr;  // nullptr: no such op for this dtype
  void* data = nullptr;
  bool ours = false;      // faster than the library's: not to be replaced
  Loop pull[2][2] = {};   // [operand][accumulate]: out (+)= scale(adjoint, partial)
  Loop pull2[2][2] = {};  // the same in dual numbers; float64 only
};

// What is known of an elementwise op from its formulas.
struct PartialInfo {
  unsigned needs[2] = {0, 0};         // Needs mask of the partial for each operand
  bool constant[2] = {false, false};  // the partial is a literal
  double value[2] = {0, 0};
};

Kernel& kernel(Op op, DType dtype);
const PartialInfo& partial_info(Op op);

}  // namespace tapegrad

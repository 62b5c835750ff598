// Elementwise ops on whole arrays: values and the fused derivative loops, with broadcasting.
#pragma once

#include <span>

#include "base/iterate.hpp"
#include "ops/kernels.hpp"
#include "ops/op.hpp"

namespace tapegrad {

// The dtype an elementwise op computes in for operands of these dtypes; raises Unsupported when
// the op has no kernel for it (say, floor of complex).
DType elementwise_dtype(Op op, DType promoted);

// Value of an elementwise op; operands have one dtype. `reuse`: an exclusive array of the result's
// shape and dtype to write into, if there is one.
Array elementwise_value(Op op, std::span<const Array> in, Array reuse = {});

// Arguments of a derivative loop. Arrays whose values the partial does not read may be null.
struct PullArgs {
  Op op;
  int operand;
  Array adjoint;  // shape of the result (a tangent broadcasts to it)
  Array x, y, r;
  Array adjoint_t, x_t, y_t, r_t;  // second order only; null for zero
};
// out (+)= scale(adjoint, partial), out of the shape `shape`.
void pull(const PullArgs& args, const Array& out, bool accumulate);
// The same in dual numbers (float64).
void pull_dual(const PullArgs& args, const Array& out, const Array& out_t, bool accumulate);

}  // namespace tapegrad

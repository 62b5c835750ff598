// What the rules that re-index share: views of a part of an array, adding into a part, zero
// constants. Used by select, shapes and indexing.
#pragma once

#include "base/copy.hpp"
#include "ops/rules.hpp"

namespace tapegrad {

// The slice given by start, step, length for each axis; empty axes may start anywhere.
Array slice_view(const Array& a, Attrs slices);
// `a` repeated along axes of length 1 and new leading axes; the shapes fit.
Array broadcast_view(const Array& a, const Dims& shape);
// The real (part 0) or imaginary (part 1) halves of a complex array, in its memory.
Array complex_part_view(const Array& a, int part);

// to += adjoint, element by element; one differentiable dtype and one shape.
void add_into(const Array& adjoint, const Array& to);

// A constant of this shape and dtype that takes the memory of one number.
Term zeros(Algebra& algebra, const Meta& meta);
// The tangent of operand i, zeros where it has none.
Term tangent_or_zeros(Rule& rule, int i);

// Slices of the last axis; the other axes are whole.
Term slice_last(Term x, std::int64_t start, std::int64_t step, std::int64_t length);
// x as such a slice of zeros, `length` of them along the last axis.
Term unslice_last(Term x, std::int64_t start, std::int64_t step, std::int64_t length);

}  // namespace tapegrad

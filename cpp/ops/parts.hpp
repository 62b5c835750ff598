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
Array swap_axes_view(const Array& a, std::size_t first, std::size_t second);
// The real (part 0) or imaginary (part 1) halves of a complex array, in its memory.
Array complex_part_view(const Array& a, int part);

// to += adjoint, element by element; one differentiable dtype and one shape.
void add_into(const Array& adjoint, const Array& to);

// Whether index(i) lies in [0, size) for all i below count. Such a loop without comparisons is
// vectorised on any machine.
template <class F>
bool all_within(std::int64_t count, std::int64_t size, F&& index) {
  std::uint64_t signs = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint64_t>(index(i));
    signs |= at | (static_cast<std::uint64_t>(size - 1) - at);
  }
  return static_cast<std::int64_t>(signs) >= 0;
}

// A constant of this shape and dtype that takes the memory of one number.
Term zeros(Algebra& algebra, const Meta& meta);
// The tangent of operand i, zeros where it has none.
Term tangent_or_zeros(Rule& rule, int i);

// Slices of the last axis; the other axes are whole.
Term slice_last(Term x, std::int64_t start, std::int64_t step, std::int64_t length);
// x as such a slice of zeros, `length` of them along the last axis.
Term unslice_last(Term x, std::int64_t start, std::int64_t step, std::int64_t length);

}  // namespace tapegrad

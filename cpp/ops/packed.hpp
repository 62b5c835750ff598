// Results of several parts as one: the parts of a packed result lie one after the other along its
// last axis, each by rows. Used by the rules of factorisations.
//
// Where values may repeat, two marks follow, of value 0: one of the values, one of the vectors. The
// op `factor`, which reads a part, gives its mark an adjoint of 1, so that the rule knows which
// parts were used: an adjoint may vanish by itself.
#pragma once

#include "ops/matrix.hpp"
#include "ops/parts.hpp"

namespace tapegrad {

inline constexpr std::int64_t kMarks = 2;

// `rows` by `cols` elements of the packed term from `start` on, as matrices.
inline Term unpacked(Term packed, std::int64_t start, std::int64_t rows, std::int64_t cols) {
  const Meta m = packed.algebra->meta(packed);
  return reshape(slice_last(packed, start, 1, rows * cols),
                 with_matrix(leading_axes(m.shape, 1), rows, cols));
}

// The matrices one after the other along one last axis.
inline Term packed(std::initializer_list<Term> parts) {
  std::vector<Term> flat;
  std::int64_t axis = 0;
  for (const Term part : parts) {
    const Dims shape = part.algebra->meta(part).shape;
    Dims line = leading_axes(shape, 2);
    axis = static_cast<std::int64_t>(line.size());
    line.push_back(shape[shape.size() - 2] * shape.back());
    flat.push_back(reshape(part, line));
  }
  return flat[0].algebra->apply(Op::concatenate, flat, Dims{axis});
}

// The marks of a packed tangent whose parts have the batch axes of the matrices `like`.
inline Term unmarked(Term like) {
  const Meta m = like.algebra->meta(like);
  return zeros(*like.algebra, {m.dtype, with_matrix(leading_axes(m.shape, 2), 1, kMarks)});
}

inline Term adjugated(Term x) { return conjugate(swap_last_axes(x)); }  // X^H

// An n by n matrix of zeros and ones: f(i, j) says where the ones are.
template <class F>
Term mask(Algebra& algebra, DType dtype, std::int64_t n, F&& f) {
  const Array ones = Array::zeros(dtype, {n, n});
  dispatch_float(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        if (f(i, j)) ones.at<T>(i * n + j) = T(1);
  });
  return algebra.constant(ones);
}
inline Term identity(Algebra& algebra, DType dtype, std::int64_t n) {
  return mask(algebra, dtype, n, [](auto i, auto j) { return i == j; });
}

// The diagonal as one row, and a row as a diagonal matrix.
inline Term diagonal_row(Term x) {
  const Meta m = x.algebra->meta(x);
  const auto axis = static_cast<std::int64_t>(m.shape.size()) - 2;
  return sum(x * identity(*x.algebra, m.dtype, m.shape.back()), {axis}, true);
}
inline Term diagonal_matrix(Term row) {
  const Meta m = row.algebra->meta(row);
  return row * identity(*row.algebra, m.dtype, m.shape.back());
}

}  // namespace tapegrad

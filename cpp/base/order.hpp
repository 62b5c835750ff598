// How a new array lies in memory when it follows others: NumPy's order 'K', which decides whether a
// reshape of it is a view.
#pragma once

#include <cstdlib>

#include "base/array.hpp"

namespace tapegrad {

// Whether axis `outer` should be inside of axis `inner`: 1 if the arrays say so, -1 if one of them
// says the contrary, 0 if all are broadcast along one of the two.
inline int wrong_way(std::span<const Dims> strides, std::size_t outer, std::size_t inner) {
  int found = 0;
  for (const Dims& s : strides) {
    if (s[outer] == 0 || s[inner] == 0) continue;
    if (std::abs(s[inner]) <= std::abs(s[outer])) return -1;
    found = 1;
  }
  return found;
}

// An array of this shape with its axes in the order of arrays with these strides, where 0 stands
// for an axis that the array is broadcast along or has length 1.
inline Array empty_in_order(DType dtype, const Dims& shape, std::span<const Dims> strides) {
  const std::size_t n = shape.size();
  std::vector<std::size_t> axes;  // innermost first
  for (std::size_t axis = n; axis-- > 0;) {
    std::size_t at = axes.size();
    for (std::size_t i = axes.size(); i-- > 0;) {
      const int wrong = wrong_way(strides, axis, axes[i]);
      if (wrong < 0) break;
      if (wrong > 0) at = i;
    }
    axes.insert(axes.begin() + static_cast<std::ptrdiff_t>(at), axis);
  }
  Dims ordered_shape(n), placed(n);
  for (std::size_t i = 0; i < n; ++i) ordered_shape[n - 1 - i] = shape[axes[i]];
  const Array ordered = Array::empty(dtype, ordered_shape);
  for (std::size_t i = 0; i < n; ++i) placed[axes[i]] = ordered.strides()[n - 1 - i];
  return ordered.view(shape, placed, ordered.data());
}

}  // namespace tapegrad

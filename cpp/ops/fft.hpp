// The loops of the discrete Fourier transforms along rows. The bindings put NumPy's in place of
// ours.
#pragma once

#include <cstdint>

#include "ops/kernels.hpp"

namespace tapegrad {

enum class Transform : std::uint8_t {
  forward,    // n complex numbers to n
  backward,   // likewise, with the other sign in the exponent
  real_even,  // n real numbers, n even, to the first n/2 + 1 complex ones of `forward`
  real_odd,   // likewise, n odd
  hermitian,  // n/2 + 1 complex numbers, the first half of a Hermitian sequence, to n real ones
  count
};

// As an inner loop of NumPy's generalised ufuncs (n),()->(m) in double precision: rows, a factor
// that multiplies the result, rows; the counts of rows, n, m; the strides from row to row and then
// within the rows.
struct TransformLoop {
  Loop loop = nullptr;
  void* data = nullptr;
};

TransformLoop& transform_loop(Transform transform);

}  // namespace tapegrad

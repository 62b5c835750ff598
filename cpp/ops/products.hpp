// Products of matrices that threads share. Called by the backend.
#pragma once

#include "base/array.hpp"

namespace tapegrad {

// Whether the rows of out = a b may be computed in parts, to the same bits, and are worth it: of
// products that BLAS computes, BLAS divides the work.
bool can_be_divided(const Array& a, const Array& b, const Array& out);

// The rows from `first` up to `last` of each matrix.
Array rows_between(const Array& a, std::int64_t first, std::int64_t last);

}  // namespace tapegrad

// Products of matrices that threads share. Called by the backend.
#pragma once

#include "base/array.hpp"

namespace tapegrad {

// Whether the rows of out = a b may be computed in parts, to the same bits, and are worth it. Not
// of those that BLAS computes: its own threads and ours would wait for each other.
bool can_be_divided(const Array& a, const Array& b, const Array& out);

// Computes out = a b, each of so many threads some of the rows.
void multiply_rows(const Array& a, const Array& b, const Array& out, int threads);

}  // namespace tapegrad

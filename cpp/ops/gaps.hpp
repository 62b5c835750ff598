// Division by gaps between eigen or singular values, which may be zero; terms that the rules of
// eigen.cpp and decompositions.cpp share.
#pragma once

#include "ops/rules.hpp"

namespace tapegrad {

// What a quotient is taken by: w_j - w_i, w_j, w_j + w_i.
enum class Gap : std::int64_t { difference = -1, value = 0, sum = 1 };

// M_ij over the gap of w_i and w_j (w: one row), 0 on the diagonal of differences. Where the gap
// vanishes a vanishing M_ij gives 0, any other raises.
Term over_gaps(Term m, Term w, Gap gap);
// general: diag(g) + K over differences of w; hermitian: of (K - K^H) / 2; check: the same without
// a derivative. `marks`: one row, whether values and vectors were used. Raises where equal w make
// the derivative ambiguous.
enum class Perturbed : std::int64_t { general, hermitian, check };
Term eigen_adjoint(Term g, Term k, Term w, Term marks, Perturbed kind);
// Each entry of the row g replaced by the mean over the equal entries of w; 0 where w vanishes if
// `kink_at_zero`.
Term average_repeated(Term g, Term w, bool kink_at_zero);

}  // namespace tapegrad

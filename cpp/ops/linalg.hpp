// What the rules of linear algebra share: the check of a square operand, and the ops as terms.
#pragma once

#include "ops/rules.hpp"

namespace tapegrad {

enum class SolveKind : std::int64_t { general, lower, upper };

// Checks that in[0] is a stack of square matrices of a differentiable dtype.
void require_square(const char* op, const Meta& a);
// Checks that all operands are stacks of matrices of such dtypes, and the axes of all stacks.
void require_matrices(const char* op, std::span<const Meta> in);
Dims broadcast_batch(std::span<const Meta> in);
// Shape rule of ops that keep the shape of a square operand.
template <const char* op>
Meta square_meta(std::span<const Meta> in, Attrs) {
  require_square(op, in[0]);
  return in[0];
}

Term solve(Term a, Term b, SolveKind kind = SolveKind::general);
Term inv(Term a);

}  // namespace tapegrad

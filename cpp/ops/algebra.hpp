// What a sweep computes with. A rule is written once in terms of other ops; running it in the
// algebra of numbers computes, in the algebra of nodes it appends to a tape, in dual numbers it
// gives the tangent of a derivative. Terms are what rules handle; their operators come from the
// table.
#pragma once

#include <array>
#include <initializer_list>
#include <span>

#include "base/array.hpp"
#include "ops/op.hpp"

namespace tapegrad {

using Attrs = std::span<const std::int64_t>;  // the integers that parametrise a structured op

class Algebra;

// A value of some algebra, or a bare number (algebra null) that takes any dtype.
struct Term {
  Algebra* algebra = nullptr;
  std::uint32_t id = 0;
  double literal = 0;
  Term() = default;
  Term(Algebra* a, std::uint32_t i) : algebra(a), id(i) {}
  explicit Term(double v) : literal(v) {}
  explicit Term(int v) : literal(v) {}
  bool is_literal() const { return algebra == nullptr; }
};

class Algebra {
 public:
  virtual ~Algebra() = default;
  // Elementwise ops broadcast and promote; literals are weak. At least one term is not a literal.
  virtual Term apply(Op op, std::span<const Term> in, Attrs attrs) = 0;
  // Shape and dtype of one direction of the term.
  virtual Meta meta(Term term) const = 0;
  virtual Term constant(const Array& value) = 0;
  // scale(adjoint, partial of an elementwise op): the one step both sweeps are made of.
  virtual Term pull(Op op, int operand, Term adjoint, Term x, Term y, Term r);
  // sum + pull(...); `sum` is used up.
  virtual Term add_pull(Term sum, Op op, int operand, Term adjoint, Term x, Term y, Term r);

  Term apply(Op op, std::initializer_list<Term> in, Attrs attrs = {}) {
    return apply(op, std::span<const Term>(in.begin(), in.size()), attrs);
  }
};

Term apply_elementwise(Op op, Term x, Term y);

// Arithmetic and the functions of the table on terms. Literals fold; 1 * a is a.
Term operator-(Term a);
Term operator+(Term a, Term b);
Term operator-(Term a, Term b);
Term operator*(Term a, Term b);
Term operator/(Term a, Term b);
Term operator==(Term a, Term b);
Term operator>(Term a, Term b);
Term operator<(Term a, Term b);
Term select(Term condition, Term a, Term b);
Term over(Term a, Term b);  // a / b, and 0 where b is 0
#define UNARY(name, ...) Term name(Term x);
#define BINARY(name, ...) Term name(Term x, Term y);
#include "ops/elementwise.def"

// The partial of an elementwise op as a term; may be a literal.
Term partial_term(Op op, int operand, Term x, Term y, Term r);
// The same; raises Unsupported where the table has none.
Term known_partial(Op op, int operand, Term x, Term y, Term r);

// Raises Unsupported: the table has no partial of this op in this operand.
[[noreturn]] void refuse_derivative(Op op, int operand);

// Structured ops by name. `axes` are normalised and ascending.
Term cast(Term x, DType dtype);
Term conjugate(Term x);
Term reshape(Term x, const Dims& shape);
Term transpose(Term x, const Dims& permutation);
Term swap_last_axes(Term x);  // matrix transpose, no conjugation
Term broadcast_to(Term x, const Dims& shape);
Term sum(Term x, const Dims& axes, bool keepdims = false);
Term matmul(Term a, Term b);
Term full_like(Term x, double value);

// Sums a contribution over the axes that broadcasting added, and casts it (real part where complex
// met real): the shape and dtype of the operand it belongs to.
Term fit(Term contribution, const Meta& operand);

}  // namespace tapegrad

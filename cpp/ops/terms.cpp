// Terms: operators and functions of the table over any algebra, and the structured ops by name.
#include <cmath>

#include "base/iterate.hpp"
#include "ops/dual.hpp"
#include "ops/poles.hpp"
#include "ops/rules.hpp"

namespace tapegrad {
namespace {

Algebra& algebra_of(Term a, Term b) {
  ensure(a.algebra || b.algebra, "a term that is not a literal");
  return a.algebra ? *a.algebra : *b.algebra;
}
bool is(Term a, double v) { return a.is_literal() && a.literal == v; }

}  // namespace

// All-literal terms fold; the rest goes to the algebra.
#define UNARY(name, ...)                                    \
  Term name(Term x) {                                       \
    if (x.is_literal()) return Term(math::name(x.literal)); \
    return x.algebra->apply(Op::name, {x});                 \
  }
#define BINARY(name, ...)                                                                \
  Term name(Term x, Term y) {                                                            \
    if (x.is_literal() && y.is_literal()) return Term(math::name(x.literal, y.literal)); \
    return algebra_of(x, y).apply(Op::name, {x, y});                                     \
  }
#include "ops/elementwise.def"

Term operator-(Term a) { return negative(a); }
Term operator+(Term a, Term b) { return is(a, 0) ? b : is(b, 0) ? a : add(a, b); }
Term operator-(Term a, Term b) { return is(b, 0) ? a : subtract(a, b); }
Term operator*(Term a, Term b) {
  if (is(a, 1)) return b;
  if (is(b, 1)) return a;
  if (is(a, -1)) return -b;
  if (is(b, -1)) return -a;
  return multiply(a, b);
}
Term operator/(Term a, Term b) { return is(b, 1) ? a : divide(a, b); }

#define COMPARISON_OPERATOR(symbol, name)                                                  \
  Term operator symbol(Term a, Term b) {                                                   \
    if (a.is_literal() && b.is_literal()) return Term(a.literal symbol b.literal ? 1 : 0); \
    return algebra_of(a, b).apply(Op::name, {a, b});                                       \
  }
COMPARISON_OPERATOR(==, equal)
COMPARISON_OPERATOR(>, greater)
COMPARISON_OPERATOR(<, less)
#undef COMPARISON_OPERATOR

Term select(Term condition, Term a, Term b) {
  if (condition.is_literal()) return condition.literal != 0 ? a : b;
  if (a.is_literal() && b.is_literal() && a.literal == b.literal) return a;
  return condition.algebra->apply(Op::where, {condition, a, b});
}
// Found by the formulas through Term; the same definition as math::over.
Term over(Term a, Term b) { return math::over(a, b); }

Term partial_term(Op op, int operand, Term x, Term y, Term r) {
  switch (op) {
#define UNARY(name, ...) \
  case Op::name: return math::Formula<Op::name>::partial<0>(x, y, r);
#define BINARY(name, ...)                                              \
  case Op::name:                                                       \
    return operand == 0 ? math::Formula<Op::name>::partial<0>(x, y, r) \
                        : math::Formula<Op::name>::partial<1>(x, y, r);
#include "ops/elementwise.def"
    default: return Term(0);
  }
}

Term known_partial(Op op, int operand, Term x, Term y, Term r) {
  const Term p = partial_term(op, operand, x, y, r);
  if (p.is_literal() && std::isnan(p.literal)) refuse_derivative(op, operand);
  return p;
}

void refuse_derivative(Op op, int operand) {
  throw Unsupported(std::string(op_name(op)) + " has no derivative in its " +
                    (operand == 0 ? "first" : "second") + " argument, the order");
}

Term Algebra::pull(Op op, int operand, Term adjoint, Term x, Term y, Term r) {
  const Term p = known_partial(op, operand, x, y, r);
  if (p.is_literal()) return adjoint * p;
  // Where its own adjoint is zero, `scale` hands nothing on, even if that is not finite.
  if (op == Op::scale && operand == 1) adjoint = select(p == Term(0.0), Term(0.0), adjoint);
  return is_choice(op) ? scale(p, adjoint) : scale(adjoint, p);
}

Term Algebra::add_pull(Term sum, Op op, int operand, Term adjoint, Term x, Term y, Term r) {
  const Term p = known_partial(op, operand, x, y, r);
  if (p.is_literal() && p.literal == -1) return sum - adjoint;
  return sum + pull(op, operand, adjoint, x, y, r);
}

Term cast(Term x, DType dtype) {
  if (x.algebra->meta(x).dtype == dtype) return x;
  const std::int64_t code[] = {static_cast<std::int64_t>(dtype)};
  return x.algebra->apply(Op::cast, {x}, code);
}
Term conjugate(Term x) {
  return x.algebra->meta(x).dtype == DType::c128 ? x.algebra->apply(Op::conjugate, {x}) : x;
}
Term reshape(Term x, const Dims& shape) {
  if (x.algebra->meta(x).shape == shape) return x;
  return x.algebra->apply(Op::reshape, {x}, shape);
}
Term transpose(Term x, const Dims& permutation) {
  return x.algebra->apply(Op::transpose, {x}, permutation);
}
Term swap_last_axes(Term x) {
  Dims permutation(x.algebra->meta(x).shape.size());
  for (std::size_t i = 0; i < permutation.size(); ++i)
    permutation[i] = static_cast<std::int64_t>(i);
  std::swap(permutation[permutation.size() - 1], permutation[permutation.size() - 2]);
  return transpose(x, permutation);
}
Term broadcast_to(Term x, const Dims& shape) {
  if (x.algebra->meta(x).shape == shape) return x;
  return x.algebra->apply(Op::broadcast_to, {x}, shape);
}
Term sum(Term x, const Dims& axes, bool keepdims) {
  if (axes.empty()) return x;
  Dims attrs{keepdims};
  for (auto a : axes) attrs.push_back(a);
  return x.algebra->apply(Op::sum, {x}, attrs);
}
Term matmul(Term a, Term b) { return a.algebra->apply(Op::matmul, {a, b}); }
Term full_like(Term x, double value) {
  const Meta m = x.algebra->meta(x);
  return x.algebra->constant(Array::full(m.dtype, m.shape, value));
}

Term fit(Term c, const Meta& operand) {
  Meta m = c.algebra->meta(c);
  if (!(m.shape == operand.shape)) {
    Dims axes;
    const std::size_t extra = m.shape.size() - operand.shape.size();
    for (std::size_t i = 0; i < m.shape.size(); ++i)
      if (i < extra || (operand.shape[i - extra] == 1 && m.shape[i] != 1))
        axes.push_back(static_cast<std::int64_t>(i));
    c = reshape(sum(c, axes), operand.shape);
  }
  return cast(c, operand.dtype);
}

}  // namespace tapegrad

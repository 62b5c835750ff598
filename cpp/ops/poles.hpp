// Ops, elementwise and parametric ones, whose slope is infinite at some finite argument. Overflow
// is no pole: where exp overflows, what the result goes into is flat as far as numbers can tell.
#pragma once

#include "ops/op.hpp"

namespace tapegrad {

constexpr bool has_pole(Op op) {
  switch (op) {
    case Op::divide:
    case Op::reciprocal:
    case Op::sqrt:
    case Op::cbrt:
    case Op::power:
    case Op::log:
    case Op::log2:
    case Op::log10:
    case Op::log1p:
    case Op::arcsin:
    case Op::arccos:
    case Op::arccosh:
    case Op::arctanh:
    case Op::erfinv:
    case Op::erfcinv:
    case Op::ndtri:
    case Op::ndtri_exp:
    case Op::gammaln:
    case Op::loggamma:
    case Op::psi:
    case Op::polygamma:
    case Op::log_minus_psi:
    case Op::gamma:
    case Op::gamma_density:
    case Op::expi:
    case Op::exp1:
    case Op::expn:
    case Op::alpha_integral:
    case Op::cosine_integral:
    case Op::ellipk:
    case Op::ellipk_derivative:
    case Op::ellipe:
    case Op::ellipe_derivative:
    case Op::y0:
    case Op::y1:
    case Op::yv:
    case Op::jv:
    case Op::iv:
    case Op::ive:
    case Op::k0:
    case Op::k1:
    case Op::kv:
    case Op::k0e:
    case Op::k1e:
    case Op::kve:
    case Op::k0e_derivative:
    case Op::gammainc:
    case Op::gammaincc:
    case Op::betainc:
    case Op::betaincc:
    case Op::beta_density:
    case Op::betaln:
    case Op::beta:
    case Op::polygamma_difference:
    case Op::zeta:
    case Op::hyp1f1:
    case Op::hyp2f1: return true;
    default: return false;
  }
}

// Elementwise ops that hand their adjoint to one argument and leave the other out.
constexpr bool is_choice(Op op) {
  return op == Op::maximum || op == Op::minimum || op == Op::fmax || op == Op::fmin;
}

// Ops whose results may vanish slower than a square where their tangents vanish, because they have
// a kink or an infinite second derivative. Powers of integers are none.
constexpr bool is_rough(Op op) {
  switch (op) {
    case Op::divide:
    case Op::reciprocal:
    case Op::log:
    case Op::log2:
    case Op::log10:
    case Op::log1p: return false;  // infinite at their poles
    case Op::root:
    case Op::absolute:
    case Op::fabs:
    case Op::hypot:
    case Op::max:
    case Op::min:
    case Op::singular_values:
    case Op::custom: return true;
    default: return has_pole(op) || is_choice(op);
  }
}

// Products: a factor that does not move leaves out what it multiplies by zero, and so does any zero
// adjoint that `scale` was given.
constexpr bool is_product(Op op) { return op == Op::multiply || op == Op::scale; }

}  // namespace tapegrad

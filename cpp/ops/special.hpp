// Special functions as values of table lines: those that the C++ standard library does not have,
// or not for every argument. Under Python the loops of SciPy's ufuncs of the same name take their
// place; what SciPy has not (derivatives of any order) is always computed here, to about 1e-13.
#pragma once

#include "ops/special_error.hpp"
#include "ops/special_gamma.hpp"
#include "ops/special_incomplete.hpp"
#include "ops/special_integrals.hpp"

// These are calls also where a loop is flattened: they are long, and there are hundreds of loops.
#if defined(__GNUC__)
#define TAPEGRAD_CALL [[gnu::noinline]]
#else
#define TAPEGRAD_CALL
#endif

namespace tapegrad::plain {

// Such a function at a number of any type of the table; complex numbers need SciPy.
template <class T, class F>
TAPEGRAD_CALL T real_only(F&& f, const T& x) {
  if constexpr (is_real<T>) return T(f(static_cast<double>(x)));
  else return T(nan);
}
template <class T, class F>
TAPEGRAD_CALL T real_only(F&& f, const T& x, const T& y) {
  if constexpr (is_real<T>) return T(f(static_cast<double>(x), static_cast<double>(y)));
  else return T(nan);
}

// f(n, x) for a whole order n; NaN for any other.
template <class T, class F>
TAPEGRAD_CALL T of_order(F&& f, const T& n, const T& x) {
  return special::is_order(static_cast<double>(n)) ? real_only(f, n, x) : T(nan);
}

template <class T>
TAPEGRAD_CALL T polygamma(const T& order, const T& x) {
  if constexpr (is_real<T>) return real_only(special::polygamma_real, order, x);
  else return special::polygamma(order.real(), x);
}
template <class T>
TAPEGRAD_CALL T erfcx_derivative(const T& order, const T& x, const T& value) {
  if constexpr (is_real<T>) return of_order(special::erfcx_derivative_real, order, x);
  else return special::erfcx_derivative(order.real(), x, value);
}
template <class T>
TAPEGRAD_CALL T dawsn_derivative(const T& order, const T& x, const T& value) {
  const auto f = [&](double n, double at) {
    return special::dawsn_derivative(n, at, static_cast<double>(value));
  };
  return of_order(f, order, x);
}

// The n-th derivative of exp(-|x|) I_0(x) (sign 1) or exp(x) K_0(x) (sign -1) from `bessel`, the
// function itself for other orders.
template <class T, class F>
TAPEGRAD_CALL T scaled_bessel_derivative(const T& order, const T& x, int sign, F&& bessel) {
  if (!special::is_order(static_cast<double>(order))) return T(nan);
  const int n = static_cast<int>(order);
  const double size = std::abs(static_cast<double>(x)), parity = n % 2 == 0 ? 1 : -1;
  if (x < 0 && sign < 0) return T(nan);
  if (x == 0 && sign > 0 && n % 2 == 1) return T(0);
  const double f = size > 20 ? special::scaled_bessel_far(n, size, sign)
                             : special::scaled_bessel_near(n, size, sign, bessel);
  return T(x < 0 ? parity * f : f);
}

}  // namespace tapegrad::plain

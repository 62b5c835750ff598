// The error function's relatives of ops/special.hpp.
#pragma once

#include <cmath>
#include <complex>

#include "base/dtype.hpp"
#include "ops/plain.hpp"

namespace tapegrad::special {

// With J_n = exp(z^2) i^n erfc(z), the repeated integrals of erfc: erfcx^(n) = (-2)^n n! J_n, and
// J_-1 = 2/sqrt(pi), n J_n = -z J_(n-1) + J_(n-2) / 2. Forward that cancels where Re z > 0.
template <class T>
T forward(int n, T z, T value) {
  T before(2 / sqrt_pi), now = value;
  for (int k = 1; k <= n; ++k) {
    const T next = (-z * now + 0.5 * before) / double(k);
    before = now;
    now = next;
  }
  return now;
}

// The ratios r_n = J_n / J_(n-1) = 1 / (2 (z + (n + 1) r_(n+1))), backward from `depth`.
template <class T>
T by_ratios(int n, T z, int depth) {
  T ratio(0), product(1);
  for (int k = n + depth; k >= 0; --k) {
    ratio = 0.5 / (z + (k + 1.0) * ratio);
    if (k <= n) product *= ratio;
  }
  return product * (2 / sqrt_pi);
}

inline double derivative_factor(int n) {
  double factor = 1;
  for (int k = 1; k <= n; ++k) factor *= -2.0 * k;
  return factor;
}

inline constexpr double kNear = 0.5;
inline int depth_at(double x) { return 20 + static_cast<int>(250 / (x * x)); }

inline double repeated_integral(int n, double x) {
  if (x > kNear) return std::isinf(x) ? 0.0 : by_ratios(n, x, depth_at(x));
  const double zeroth = std::exp(x * x) * std::erfc(x);
  return std::isinf(zeroth) ? kInfinity : forward(n, x, zeroth);
}

inline double erfcx(double x) { return std::isnan(x) ? x : repeated_integral(0, x); }

inline double erfcx_derivative_real(double order, double x) {
  const int n = static_cast<int>(order);
  return std::isnan(x) ? x : derivative_factor(n) * repeated_integral(n, x);
}

inline Complex erfcx_derivative(double order, Complex z, Complex value) {
  const int n = static_cast<int>(order);
  const bool far = z.real() >= 0 && std::norm(z) > 49;
  return derivative_factor(n) * (far ? by_ratios(n, z, 40) : forward(n, z, value));
}

inline double log_ndtr(double x) {
  const double u = -x * sqrt_half;
  if (x > -1) return std::log1p(-0.5 * std::erfc(-u));
  return std::log(0.5 * erfcx(u)) - u * u;
}

// Halley's iteration on erfc, from the approximation of the normal quantile in Abramowitz and
// Stegun, 26.2.23.
inline double erfcinv(double y) {
  if (y > 1) return -erfcinv(2 - y);
  if (!(y > 0)) return y == 0 ? kInfinity : nan;
  const double t = std::sqrt(-2 * std::log(y / 2));
  double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                     (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  x /= std::sqrt(2.0);
  for (int k = 0; k < 4; ++k) {
    const double step = (std::erfc(x) - y) * std::exp(x * x) * (sqrt_pi / 2);
    x += step / (1 - x * step);
  }
  return x;
}

inline double erfinv(double y) {
  if (y < 0) return -erfinv(-y);
  if (y > 0.5) return erfcinv(1 - y);
  double x = y * sqrt_pi / 2;
  for (int k = 0; k < 6; ++k) {
    const double step = (std::erf(x) - y) * std::exp(x * x) * (sqrt_pi / 2);
    x -= step / (1 + x * step);
  }
  return x;
}

// dawsn^(n)(x) from dawsn(x) ~ sum over k of (2k-1)!! / (2^(k+1) x^(2k+1)).
inline double dawsn_far(int n, double x) {
  double term = 0.5 / x;
  for (int k = 1; k <= n; ++k) term *= -k / x;
  double sum = 0;
  for (int k = 0; k < 36; ++k) {
    sum += term;
    const double m = 2.0 * k + 1;  // the power of x
    const double next = term * m / (2 * x * x) * (m + n) * (m + n + 1) / (m * (m + 1));
    if (std::abs(next) > std::abs(term) || std::abs(next) < 1e-18 * std::abs(sum)) break;
    term = next;
  }
  return sum;
}

// dawsn(x) = sum over n of (-1)^n 2^n x^(2n+1) / (2n+1)!!, all terms of one sign after a factor
// exp(-x^2): sum of x^(2n+1) / (n! (2n+1)).
inline double dawsn(double x) {
  if (std::isinf(x)) return std::copysign(0.0, x);
  if (std::abs(x) > 6.5) return dawsn_far(0, x);
  double term = x, sum = 0;
  for (int k = 0; k < 200; ++k) {
    sum += term / (2 * k + 1);
    term *= x * x / (k + 1);
  }
  return std::exp(-x * x) * sum;
}

inline double dawsn_derivative(double order, double x, double value) {
  const int n = static_cast<int>(order);
  if (std::isinf(x)) return 0.0;
  if (std::abs(x) > 6.5) return dawsn_far(n, x);
  double before = value, now = 1 - 2 * x * value;
  if (n == 0) return value;
  for (int k = 1; k < n; ++k) {
    const double next = -2 * x * now - 2 * k * before;
    before = now;
    now = next;
  }
  return now;
}

// The integral of exp(-h^2 (1 + t^2) / 2) / (1 + t^2) / (2 pi) over [0, a], by the double
// exponential rule; large a by the reflection that gives 1 / a.
inline double owens_t(double h, double a) {
  if (std::isnan(h) || std::isnan(a)) return nan;
  if (a < 0) return -owens_t(h, -a);
  h = std::abs(h);
  const auto phi = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  const auto tail = [](double x) { return 0.5 * std::erfc(x / std::sqrt(2.0)); };
  if (std::isinf(a)) return 0.5 * tail(h);
  if (a > 1)
    return 0.5 * (tail(h) * phi(a * h) + phi(h) * tail(a * h)) - owens_t(a * h, 1 / a) +
           0.0 * phi(h);
  double sum = 0;
  constexpr double step = 1.0 / 16;
  for (int k = -60; k <= 60; ++k) {
    const double s = pi / 2 * std::sinh(k * step);
    const double t = a / (1 + std::exp(-2 * s));
    const double weight = pi / 4 * std::cosh(k * step) / (std::cosh(s) * std::cosh(s));
    sum += weight * std::exp(-0.5 * h * h * (1 + t * t)) / (1 + t * t);
  }
  return a * step * sum / (2 * pi);
}

}  // namespace tapegrad::special

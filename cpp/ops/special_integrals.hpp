// Exponential, trigonometric and elliptic integrals of ops/special.hpp, and the Bessel functions of
// the standard library.
#pragma once

#include <cmath>
#include <complex>
#include <exception>

#include "base/dtype.hpp"
#include "ops/plain.hpp"
#include "ops/special_gamma.hpp"

namespace tapegrad::special {

inline constexpr double kEuler = 0.57721566490153286061;

// exp(z) E_n(z) = 1/(z + n/(1 + 1/(z + (n+1)/(1 + 2/(z + ...))))), here contracted and evaluated
// from the front (Lentz): b_k = z + n + 2k, a_k = -k (n + k - 1).
template <class T>
T exponential_fraction(double n, T z) {
  T b = z + n, c(1e300), d = T(1) / b, h = d;
  for (int k = 1; k < 20000; ++k) {
    const double a = -k * (n - 1 + k);
    b += 2.0;
    d = T(1) / (a * d + b);
    c = b + a / c;
    const T factor = c * d;
    h *= factor;
    if (std::abs(factor - T(1)) < 1e-16) break;
  }
  return h;
}

// sum over k >= 1 of (-x)^k / (k k!)
inline double exponential_series(double x) {
  double term = 1, sum = 0;
  for (int k = 1; k < 500; ++k) {
    term *= -x / k;
    sum += term / k;
    if (std::abs(term) < 1e-18 * std::abs(sum)) break;
  }
  return sum;
}

inline double exp1(double x) {
  if (!(x > 0)) return x == 0 ? kInfinity : nan;
  if (x > 1) return std::isinf(x) ? 0.0 : std::exp(-x) * exponential_fraction(1, x);
  return -kEuler - std::log(x) - exponential_series(x);
}

inline double expi(double x) {
  if (std::isnan(x)) return x;
  if (x == 0) return -kInfinity;
  if (x < 0) return -exp1(-x);
  if (x < 40) return kEuler + std::log(x) + exponential_series(-x);
  double term = 1, sum = 0;  // asymptotic: exp(x)/x sum of k!/x^k
  for (int k = 1; k < 40; ++k) {
    sum += term;
    term *= k / x;
  }
  return std::exp(x) / x * sum;
}

inline double expn(double n, double x) {
  if (std::isnan(x) || x < 0 || !is_order(n)) return nan;
  if (n == 0) return std::exp(-x) / x;
  if (x == 0) return n > 1 ? 1 / (n - 1) : kInfinity;
  if (x > 1) return std::exp(-x) * exponential_fraction(n, x);
  double e = exp1(x);
  for (int k = 1; k < n; ++k) e = (std::exp(-x) - x * e) / k;
  return e;
}

// n! exp(-x) / x^(n+1) * sum over k <= n of x^k / k!
inline double alpha_integral(double n, double x) {
  double term = 1, sum = 1, factorial = 1;
  for (int k = 1; k <= n; ++k) {
    term *= x / k;
    sum += term;
    factorial *= k;
  }
  return factorial * std::exp(-x) * sum / std::pow(x, n + 1);
}

inline double sine_integral(double x) {
  if (std::isnan(x)) return x;
  if (std::abs(x) > 4) {
    if (std::isinf(x)) return std::copysign(pi / 2, x);
    const double size = std::abs(x);
    const Complex e = exponential_fraction(1, Complex(0, size)) * std::polar(1.0, -size);
    return std::copysign(pi / 2 + e.imag(), x);
  }
  double term = x, sum = 0;
  for (int k = 0; k < 30; ++k) {
    sum += term / (2 * k + 1);
    term *= -x * x / ((2 * k + 2.0) * (2 * k + 3.0));
  }
  return sum;
}

inline double cosine_integral(double x) {
  if (std::isnan(x)) return x;
  const double size = std::abs(x);
  if (size == 0) return -kInfinity;
  if (std::isinf(x)) return x > 0 ? 0.0 : nan;
  if (size > 4) return -(exponential_fraction(1, Complex(0, size)) * std::polar(1.0, -size)).real();
  double term = 1, sum = 0;
  for (int k = 1; k < 30; ++k) {
    term *= -x * x / ((2 * k - 1.0) * (2 * k));
    sum += term / (2 * k);
  }
  return kEuler + std::log(size) + sum;
}

// Elliptic integrals: K = pi/2 2F1(1/2, 1/2; 1; m), E = pi/2 2F1(-1/2, 1/2; 1; m)
// ------------------

struct Elliptic {
  double k, e;
};

// The arithmetic-geometric mean: K = pi / (2 M), E = K (1 - sum of 2^(n-1) c_n^2).
inline Elliptic elliptic(double m) {
  if (m == 1) return {kInfinity, 1.0};
  if (!(m < 1)) return {nan, nan};
  if (std::isinf(m)) return {0.0, kInfinity};
  double a = 1, b = std::sqrt(1 - m), power = 0.5, sum = 0.5 * m;
  for (int n = 0; n < 40; ++n) {
    const double c = 0.5 * (a - b), next = 0.5 * (a + b);
    b = std::sqrt(a * b);
    a = next;
    power *= 2;
    sum += power * c * c;
    if (std::abs(c) < 1e-17 * a) break;
  }
  const double k = pi / (2 * a);
  return {k, k * (1 - sum)};
}

// y^(n) of y = pi/2 2F1(a, b; 1; m), which solves m (1-m) y'' + (1 - (a+b+1) m) y' - a b y = 0;
// near 0 by its series, else by that equation differentiated, from y and y'.
inline double hypergeometric_derivative(int n, double m, double a, double b, double y,
                                        double slope) {
  if (std::abs(m) <= 0.5) {
    double term = pi / 2;
    for (int k = 0; k < n; ++k) term *= (a + k) * (b + k) / (k + 1);
    double sum = 0;
    for (int k = 0; k < 100; ++k) {
      sum += term;
      term *= m * (a + n + k) * (b + n + k) / ((1.0 + n + k) * (1 + k));
    }
    return sum;
  }
  if (n == 0) return y;
  double before = y, now = slope;
  for (int k = 0; k + 1 < n; ++k) {
    const double next =
        ((a + k) * (b + k) * before - (k + 1 - (a + b + 1 + 2 * k) * m) * now) / (m * (1 - m));
    before = now;
    now = next;
  }
  return now;
}

inline double ellipk(double m) { return elliptic(m).k; }
inline double ellipe(double m) { return elliptic(m).e; }

inline double ellipk_derivative(double order, double m) {
  const auto [k, e] = elliptic(m);
  const double slope = m == 1 ? kInfinity : (e - (1 - m) * k) / (2 * m * (1 - m));
  return hypergeometric_derivative(static_cast<int>(order), m, 0.5, 0.5, k, slope);
}

inline double ellipe_derivative(double order, double m) {
  const auto [k, e] = elliptic(m);
  return hypergeometric_derivative(static_cast<int>(order), m, -0.5, 0.5, e, (e - k) / (2 * m));
}

// Bessel functions
// ----------------------------------------------------------------------------------

// From the standard library where it has them, for whole or positive orders.
#if defined(__cpp_lib_math_special_functions)
inline bool is_whole(double v) { return v == std::floor(v); }
inline double parity(double v) { return std::fmod(v, 2) == 0 ? 1 : -1; }

// The library throws where its series do not converge.
template <class F>
double attempted(F&& f, double v, double x) {
  if (!(v < 1000)) return nan;
  try {
    return f(v, x);
  } catch (const std::exception&) {
    return nan;
  }
}
inline double cyl_j(double v, double x) {
  return attempted([](double a, double b) { return std::cyl_bessel_j(a, b); }, v, x);
}
inline double cyl_y(double v, double x) {
  return attempted([](double a, double b) { return std::cyl_neumann(a, b); }, v, x);
}

inline double jv(double v, double x) {
  if (std::isnan(v) || std::isnan(x) || (x < 0 && !is_whole(v))) return nan;
  if (x < 0) return parity(v) * jv(v, -x);
  if (v >= 0) return cyl_j(v, x);
  if (is_whole(v)) return parity(v) * cyl_j(-v, x);
  return std::cos(-v * pi) * cyl_j(-v, x) - std::sin(-v * pi) * cyl_y(-v, x);
}
inline double yv(double v, double x) {
  if (!(x >= 0) || std::isnan(v)) return nan;
  if (x == 0) return -kInfinity;
  if (v >= 0) return cyl_y(v, x);
  if (is_whole(v)) return parity(v) * cyl_y(-v, x);
  return std::sin(-v * pi) * cyl_j(-v, x) + std::cos(-v * pi) * cyl_y(-v, x);
}
inline double kv(double v, double x) {
  if (!(x >= 0) || std::isnan(v)) return nan;
  if (x == 0) return kInfinity;
  return attempted([](double a, double b) { return std::cyl_bessel_k(a, b); }, std::abs(v), x);
}
#else
inline double jv(double, double) { return nan; }
inline double yv(double, double) { return nan; }
inline double kv(double, double) { return nan; }
#endif

// The ascending series: all terms have one sign.
inline double iv(double v, double x) {
  if (v < 0 && v == std::floor(v)) v = -v;
  const double half = 0.5 * x;
  double term = std::pow(half, v) / std::tgamma(v + 1), sum = 0;
  for (int k = 0; k < 500; ++k) {
    sum += term;
    term *= half * half / ((k + 1) * (k + 1 + v));
    if (std::abs(term) < 1e-18 * std::abs(sum)) break;
  }
  return sum;
}

inline double ive(double v, double x) { return std::exp(-std::abs(x)) * iv(v, x); }
inline double kve(double v, double x) { return std::exp(x) * kv(v, x); }

// Both scaled functions satisfy f_v' = +-(f_(v-1) - 2 f_v + f_(v+1)) / 2, so that f_0^(n) is a
// difference in the order.
template <class F>
double scaled_bessel_near(int n, double x, int sign, F&& bessel) {
  double sum = 0, choose = 1;
  for (int j = 0; j <= 2 * n; ++j) {
    sum += (j % 2 == 0 ? choose : -choose) * bessel(n - j, x);
    choose = choose * (2 * n - j) / (j + 1);
  }
  return std::pow(0.5 * sign, n) * sum;
}

// Hankel's expansion, differentiated: sum over k of +-a_k x^(-1/2-k), a_k = (1 3 ... (2k-1))^2 /
// (k! 8^k).
inline double scaled_bessel_far(int n, double x, int sign) {
  double term = (sign > 0 ? 1 / std::sqrt(2 * pi) : std::sqrt(pi / 2)) / std::sqrt(x), sum = 0;
  for (int k = 0; k < n; ++k) term *= -(0.5 + k) / x;
  for (int k = 0; k < 30; ++k) {
    sum += term;
    const double odd = 2.0 * k + 1;
    const double next = term * sign * odd * odd / (8 * (k + 1) * x) * (0.5 + k + n) / (0.5 + k);
    if (std::abs(next) > std::abs(term) || std::abs(next) < 1e-18 * std::abs(sum)) break;
    term = next;
  }
  return sum;
}

// j_n by upward recurrence where that is stable, else downward from far above, scaled to j_0 or
// j_1; of negative order 0, because formulas multiply it by 0.
inline double spherical_jn(double order, double x) {
  if (std::isnan(x) || order != std::floor(order)) return nan;
  if (std::isinf(x) || order < 0 || order > 1e6) return 0.0;
  if (x == 0) return order == 0 ? 1.0 : 0.0;
  const int n = static_cast<int>(order);
  double before = std::cos(x) / x, now = std::sin(x) / x;
  if (n == 0) return now;
  if (std::abs(x) > n) {
    for (int k = 0; k < n; ++k) {
      const double next = (2 * k + 1) / x * now - before;
      before = now;
      now = next;
    }
    return now;
  }
  // Ratios j_k / j_(k-1) = x / (2k + 1 - x j_(k+1) / j_k), which neither over- nor underflow.
  double ratio = 0, product = 1;
  for (int k = n + 30 + static_cast<int>(std::abs(x)); k >= 1; --k) {
    ratio = x / (2 * k + 1 - x * ratio);
    if (k <= n && k > 1) product *= ratio;
  }
  const double first = std::abs(x) < 1 ? now * ratio : now / x - std::cos(x) / x;
  return product * (std::abs(now) > std::abs(first) ? now * ratio : first);
}

}  // namespace tapegrad::special

// The gamma family of ops/special.hpp: polygamma, Hurwitz zeta and its derivatives, differences.
#pragma once

#include <array>
#include <cmath>
#include <complex>
#include <vector>

#include "base/dtype.hpp"
#include "ops/plain.hpp"

namespace tapegrad::special {

// B_2j / (2j)!, the coefficients of Euler and Maclaurin.
inline constexpr std::array kBernoulli{1.0 / 12,
                                       -1.0 / 720,
                                       1.0 / 30240,
                                       -1.0 / 1209600,
                                       1.0 / 47900160,
                                       -691.0 / 1307674368000.0,
                                       1.0 / 74724249600.0,
                                       -3617.0 / 10670622842880000.0,
                                       43867.0 / 5109094217170944000.0,
                                       -174611.0 / 802857662698291200000.0};

inline double real_part(double x) { return x; }
inline double real_part(Complex x) { return x.real(); }

// sum over k >= 0 of (k + q)^-s for a whole s >= 2, Re q > 0.
template <class T>
T hurwitz(int s, T q) {
  T sum(0);
  while (real_part(q) < 12.0 + s) {
    sum += std::pow(q, -s);
    q += 1.0;
  }
  const T power = std::pow(q, -s);
  sum += power * q / double(s - 1) + 0.5 * power;
  T term = power * double(s) / q;  // s (s+1) ... (s+2j-2) q^(-s-2j+1)
  for (std::size_t j = 0; j < kBernoulli.size(); ++j) {
    sum += kBernoulli[j] * term;
    term *= (s + 2.0 * j + 1) * (s + 2.0 * j + 2) / (q * q);
  }
  return sum;
}

// Left of the axis the two-sided sum, which has period 1, less what lies on the other side.
template <class T>
T hurwitz_anywhere(int s, T q) {
  if (real_part(q) > 0) return hurwitz(s, q);
  const T f = q - std::floor(real_part(q));
  if (f == T(0)) return s % 2 == 0 ? T(kInfinity) : T(nan);
  const double sign = s % 2 == 0 ? 1 : -1;
  return hurwitz(s, f) + sign * (hurwitz(s, T(1) - f) - hurwitz(s, T(1) - q));
}

template <class T>
T psi_right(T x) {  // Re x > 0
  T shift(0);
  while (real_part(x) < 12.0) {
    shift += T(1) / x;
    x += 1.0;
  }
  // sum of B_2j / (2j) x^-2j; B_2j = (2j)! kBernoulli
  T sum(0), power = T(1) / (x * x);
  double factorial = 1;  // (2j-1)!
  for (std::size_t j = 0; j < kBernoulli.size(); ++j) {
    sum += kBernoulli[j] * factorial * power;
    power /= x * x;
    factorial *= (2.0 * j + 2) * (2.0 * j + 3);
  }
  return std::log(x) - T(0.5) / x - sum - shift;
}

template <class T>
T polygamma_of(int n, T x) {
  if (plain::is_nan(x)) return x;
  if (n == 0) return real_part(x) > 0 ? psi_right(x) : psi_right(T(1) - x) - pi / std::tan(pi * x);
  double factor = n % 2 == 0 ? -1 : 1;
  for (int k = 2; k <= n; ++k) factor *= k;
  if (std::isinf(real_part(x))) return T(real_part(x) > 0 ? 0 : nan);
  return factor * hurwitz_anywhere(n + 1, x);
}

inline bool is_order(double n) { return n >= 0 && n == std::floor(n) && n < 1000; }

inline double psi(double x) {
  if (x == 0) return -std::copysign(kInfinity, x);
  return x < 0 && x == std::floor(x) ? nan : polygamma_of(0, x);
}

inline double polygamma_real(double order, double x) {
  if (!is_order(order)) return nan;
  return order == 0 ? psi(x) : polygamma_of(static_cast<int>(order), x);
}

inline Complex polygamma(double order, Complex z) {
  return is_order(order) ? polygamma_of(static_cast<int>(order), z) : Complex(nan);
}

inline double loggamma(double x) { return x < 0 ? nan : std::lgamma(x); }
inline double rgamma(double x) { return x <= 0 && x == std::floor(x) ? 0.0 : 1 / std::tgamma(x); }

// The series in h of (-log(z))^n z^-s has coefficients z^(-s-m) c_m with polynomials in L = -log z:
// d/dz (P(L) z^-s) = -(P'(L) + s P(L)) z^(-s-1). Here `p` holds P, lowest power first.
inline void differentiate(std::vector<double>& p, double s) {
  for (std::size_t k = 0; k < p.size(); ++k) {
    const double slope = k + 1 < p.size() ? (k + 1.0) * p[k + 1] : 0.0;
    p[k] = -(slope + s * p[k]);
  }
}

inline double polynomial(const std::vector<double>& p, double x) {
  double sum = 0;
  for (std::size_t k = p.size(); k-- > 0;) sum = sum * x + p[k];
  return sum;
}

// The integral of (-log t)^n t^-s from z to infinity: J_n = z^(1-s) L^n / (s-1) - n J_(n-1) /
// (s-1).
inline double tail_integral(int n, double s, double z) {
  const double power = std::pow(z, 1 - s), l = -std::log(z);
  double integral = power / (s - 1);
  double l_power = 1;
  for (int k = 1; k <= n; ++k) {
    l_power *= l;
    integral = (power * l_power - k * integral) / (s - 1);
  }
  return integral;
}

inline double zeta_derivative(int n, double s, double q) {
  if (std::isnan(s) || std::isnan(q)) return nan;
  if (s == 1) return n % 2 == 0 ? kInfinity : -kInfinity;
  if (q <= 0 && (q == std::floor(q) || s != std::floor(s)))
    return q == std::floor(q) ? kInfinity : nan;
  if (std::isinf(q) || std::isinf(s)) return s > 1 && std::isinf(q) ? 0.0 : nan;
  double sum = 0;
  // Far to the right the shift may stop where terms vanish.
  const double stop = s < 0 ? 8.0 - s + n : 14.0 + std::min(s, 60.0) + n;
  while (q < stop) {
    const double term = std::pow(-std::log(q), n) * std::pow(q, -s);
    sum += term;
    q += 1;
  }
  std::vector<double> p(static_cast<std::size_t>(n) + 1);
  p.back() = 1;
  const double l = -std::log(q);
  double power = std::pow(q, -s);
  sum += tail_integral(n, s, q) + 0.5 * polynomial(p, l) * power;
  double order = s;
  for (double bernoulli : kBernoulli) {
    differentiate(p, order);
    power /= q;
    sum -= bernoulli * polynomial(p, l) * power;
    differentiate(p, order + 1);
    power /= q;
    order += 2;
  }
  return sum;
}

inline double polygamma_difference(int n, double a, double b) {
  if (!(a > 0) || !(b >= 0)) return polygamma_real(n, a + b) - polygamma_real(n, a);
  const int s = n + 1;
  double factor = n % 2 == 0 ? -1 : 1;  // psi_n(z) = factor * zeta(n + 1, z)
  for (int k = 2; k <= n; ++k) factor *= k;
  double sum = 0;  // of (a + b + k)^-s - (a + k)^-s, each by its relative size
  const auto less = [&](double order, double x) {
    return std::pow(x, -order) * std::expm1(-order * std::log1p(b / x));
  };
  while (a < 12.0 + s) {
    sum += less(s, a);
    a += 1;
  }
  sum += (s == 1 ? -std::log1p(b / a) : less(s - 1, a) / (s - 1)) + 0.5 * less(s, a);
  double rising = s;  // s (s+1) ... (s+2j-2)
  for (std::size_t j = 0; j < kBernoulli.size(); ++j) {
    sum += kBernoulli[j] * rising * less(s + 2.0 * j + 1, a);
    rising *= (s + 2.0 * j + 1) * (s + 2.0 * j + 2);
  }
  return factor * sum;
}

}  // namespace tapegrad::special

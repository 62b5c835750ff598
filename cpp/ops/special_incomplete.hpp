// Densities of the gamma and beta distributions and the incomplete integrals over them, with all
// derivatives in the parameters. For ops/parametric.cpp and the table.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "ops/special_gamma.hpp"

namespace tapegrad::special {

// log(1 + u) - u
inline double log1p_less(double u) {
  if (std::abs(u) > 0.2) return std::log1p(u) - u;
  const double v = u / (2 + u), square = v * v;
  double sum = 0, power = v * square;
  for (int k = 3; k < 31; k += 2) {
    sum += power / k;
    power *= square;
  }
  return 2 * sum - u * v;
}

// log(Gamma(k + 1)) - log(sqrt(2 pi k) (k / e)^k), the error of Stirling's formula.
inline double stirling_error(double k) {
  if (k < 15) return std::lgamma(k + 1) - (k + 0.5) * std::log(k) + k - 0.5 * std::log(2 * pi);
  double sum = 0, factorial = 1, power = 1 / k;  // of B_2j / (2j (2j-1)) k^(1-2j)
  for (std::size_t j = 0; j < kBernoulli.size(); ++j) {
    sum += kBernoulli[j] * factorial * power;
    power /= k * k;
    factorial *= (2.0 * j + 1) * (2.0 * j + 2);
  }
  return sum;
}

// log|B(a, b)|: of large a the difference log(Gamma(a)) - log(Gamma(a + b)) by Stirling's formula.
inline double betaln(double a, double b) {
  if (a < b) std::swap(a, b);
  if (a < 15 || !(b > 0)) return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
  const double sum = a + b, correction = stirling_error(a) - stirling_error(sum);
  if (b < 15)
    return std::lgamma(b) + correction + (b - (a - 0.5) * std::log1p(b / a)) - b * std::log(sum);
  return 0.5 * std::log(2 * pi / b) + correction + stirling_error(b) -
         (a - 0.5) * std::log1p(b / a) + b * std::log(b / sum);
}

// k log(k / mean) + mean - k
inline double deviance(double k, double mean) {
  const double u = (mean - k) / k;
  return std::abs(u) > 0.2 ? k * std::log(k / mean) + (mean - k) : -k * log1p_less(u);
}

// x^(a-1) exp(-x) / Gamma(a), by the saddle point expansion for large a (C. Loader, Fast and
// accurate computation of binomial probabilities, 2000).
inline double gamma_density(double a, double x) {
  if (std::isnan(a) || std::isnan(x) || x < 0) return nan;
  if (a <= 0 && a == std::floor(a)) return 0.0;
  if (std::isinf(x)) return 0.0;
  if (a < 15) return std::pow(x, a - 1) * std::exp(-x) / std::tgamma(a);
  if (x == 0) return 0.0;
  const double k = a - 1;
  return std::exp(-stirling_error(k) - deviance(k, x)) / std::sqrt(2 * pi * k);
}

// log(x) - psi(a), also where both are large and close.
inline double log_minus_psi(double x, double a) {
  if (a < 12) return std::log(x) - psi(a);
  double sum = 0.5 / a, factorial = 1, power = 1 / (a * a);  // log(a) - psi(a)
  for (std::size_t j = 0; j < kBernoulli.size(); ++j) {
    sum += kBernoulli[j] * factorial * power;
    power /= a * a;
    factorial *= (2.0 * j + 2) * (2.0 * j + 3);
  }
  return (x > 0.5 * a && x < 2 * a ? std::log1p((x - a) / a) : std::log(x / a)) + sum;
}

// x^(a-1) (1-x)^(b-1) / B(a, b), as gamma_density.
inline double beta_density(double a, double b, double x) {
  if (std::isnan(a) || std::isnan(b) || std::isnan(x) || x < 0 || x > 1) return nan;
  if (a < 0 || b < 0) return x == 0 || x == 1 ? -kInfinity : nan;
  if (a == 0 || b == 0) return 0.0;
  if (x == 0) return a < 1 ? kInfinity : a > 1 ? 0.0 : b;
  if (x == 1) return b < 1 ? kInfinity : b > 1 ? 0.0 : a;
  const double n = a + b, y = 1 - x;
  const double exponent = stirling_error(n) - stirling_error(a) - stirling_error(b) -
                          deviance(a, n * x) - deviance(b, n * y);
  return std::exp(exponent) * std::sqrt(a / n * b / (2 * pi)) / (x * y);
}

// With f = exp(g), the derivative f^(m,n) / f from those of g: `g(i, j)` for i + j > 0, made of any
// type with sums and products. Complete Bell polynomials in two variables, by
// f^(m+1,n) = sum of C(m,i) C(n,j) f^(i,j) g^(m+1-i,n-j).
template <class T, class G>
T exponential_derivative(int m, int n, G&& g) {
  if (m == 0 && n == 0) return T(1);
  std::vector<T> w(static_cast<std::size_t>((m + 1) * (n + 1)), T(0));
  const auto at = [&](int i, int j) -> T& { return w[static_cast<std::size_t>(i * (n + 1) + j)]; };
  const auto choose = [](int from, int k) {
    double c = 1;
    for (int i = 0; i < k; ++i) c = c * (from - i) / (i + 1);
    return c;
  };
  at(0, 0) = T(1);
  for (int i = 0; i <= m; ++i)
    for (int j = i == 0 ? 1 : 0; j <= n; ++j) {
      const int up = i > 0 ? i - 1 : 0, across = i > 0 ? j : j - 1;
      T sum(0);
      for (int k = 0; k <= up; ++k)
        for (int l = 0; l <= across; ++l)
          sum = sum + T(choose(up, k) * choose(across, l)) * (at(k, l) * g(i - k, j - l));
      at(i, j) = sum;
    }
  return at(m, n);
}

// The integral of f over [0, inf), f decaying over `scale`: the double exponential rule
// s = scale exp(pi/2 sinh u), with a step that also resolves what happens at s about `scale *
// fine`.
template <class F>
double half_line(double scale, double fine, F&& f) {
  const double step = std::min(1.0 / 20, 0.15 / (1 + std::abs(std::log(fine))));
  const auto term = [&](double u) {
    const double s = scale * std::exp(pi / 2 * std::sinh(u));
    const double weight = s * pi / 2 * std::cosh(u);
    return weight == 0 || std::isinf(s) ? 0.0 : weight * f(s);
  };
  double sum = term(0), peak = std::abs(sum);
  for (const double sign : {1.0, -1.0})
    for (int k = 1; k * step < 7; ++k) {
      const double t = term(sign * k * step);
      sum += t;
      peak = std::max(peak, std::abs(t));
      if (k * step > 1 && std::abs(t) < 1e-20 * peak) break;
    }
  return step * sum;
}

// 1 / s for the s where p s + q s^2 / 2 = 1.
inline double decay(double p, double q) { return 0.5 * p + std::sqrt(0.25 * p * p + 0.5 * q); }

// The n-th derivative in a of P(a, x), the integral of the gamma density over [0, x]: below the
// mean over t = x exp(-s), above it minus the integral over t = x + s.
inline double gammainc_derivative(int n, double a, double x) {
  if (!(a > 0) || !(x >= 0)) return nan;
  if (x == 0 || std::isinf(x)) return n == 0 && x > 0 ? 1.0 : 0.0;
  const bool lower = x <= a;
  // Small a: 1 / Gamma(a) = a / Gamma(a + 1), because psi(a) and its derivatives nearly cancel.
  const bool small = a < 1;
  const double shifted = small ? a + 1 : a, centre = log_minus_psi(x, shifted);
  std::vector<double> g(static_cast<std::size_t>(n) + 1);
  for (int k = 2; k <= n; ++k) g[static_cast<std::size_t>(k)] = -polygamma_real(k - 1, shifted);
  const auto weight = [&](double log_t) {  // log(t / x)
    const auto slope = [&](int i, int) {
      return i == 1 ? centre + log_t : g[static_cast<std::size_t>(i)];
    };
    const double w = exponential_derivative<double>(n, 0, slope);
    return small && n > 0 ? w + n / a * exponential_derivative<double>(n - 1, 0, slope) : w;
  };
  if (lower) {
    const double scale = 1 / decay(a - x, x);
    const auto f = [&](double s) { return std::exp(-a * s - x * std::expm1(-s)) * weight(-s); };
    return gamma_density(a, x) * x * half_line(scale, 1 / scale, f);
  }
  const double scale = 1 / decay((x - a + 1) / x, std::max(a - 1, 0.0) / (x * x));
  const auto f = [&](double s) {
    const double l = std::log1p(s / x);
    return std::exp((a - 1) * l - s) * weight(l);
  };
  const double upper = gamma_density(a, x) * half_line(scale, std::min(1.0, x / scale), f);
  return n == 0 ? 1 - upper : -upper;
}

// The integral over [0, x] of the derivative d^m/da^m d^n/db^n of the beta density; y = 1 - x, and
// x is not above the mean.
inline double beta_lower(int m, int n, double a, double b, double x, double y) {
  const double by_a = std::log(x) + polygamma_difference(0, a, b);
  const double by_b = (x < 0.5 ? std::log1p(-x) : std::log(y)) + polygamma_difference(0, b, a);
  const auto size = static_cast<std::size_t>(std::max(m, n) + 1);
  std::vector<double> pure_a(size), pure_b(size), mixed(static_cast<std::size_t>(m + n) + 1);
  for (int k = 2; k <= m; ++k)
    pure_a[static_cast<std::size_t>(k)] = polygamma_difference(k - 1, a, b);
  for (int k = 2; k <= n; ++k)
    pure_b[static_cast<std::size_t>(k)] = polygamma_difference(k - 1, b, a);
  for (int k = 2; k <= m + n; ++k)
    mixed[static_cast<std::size_t>(k)] = polygamma_real(k - 1, a + b);
  const double rate = a - (b - 1) * x / y;
  const double scale = 1 / decay(std::max(rate, 0.0), std::max(b - 1, 0.0) * x / (y * y));
  const auto f = [&](double s) {
    const double ratio = std::log1p(-x * std::expm1(-s) / y);  // log((1-t) / (1-x))
    const auto g = [&](int i, int j) {
      if (i + j == 1) return i == 1 ? by_a - s : by_b + ratio;
      const auto k = static_cast<std::size_t>(i + j);
      return j == 0 ? pure_a[k] : i == 0 ? pure_b[k] : mixed[k];
    };
    return std::exp(-a * s + (b - 1) * ratio) * exponential_derivative<double>(m, n, g);
  };
  return beta_density(a, b, x) * x *
         half_line(scale, std::min({1.0, a * scale, 1 / scale, y / scale}), f);
}

// d^m/da^m d^n/db^n of the regularised incomplete beta function.
inline double betainc_derivative(int m, int n, double a, double b, double x) {
  if (!(a > 0) || !(b > 0) || !(x >= 0) || !(x <= 1)) return nan;
  const bool value = m == 0 && n == 0;
  if (x == 0 || x == 1) return value ? x : 0.0;
  if (x * (a + b) <= a) return beta_lower(m, n, a, b, x, 1 - x);
  const double upper = beta_lower(n, m, b, a, 1 - x, x);
  return value ? 1 - upper : -upper;
}

}  // namespace tapegrad::special

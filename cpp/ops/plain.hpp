// Value formulas of the table that are longer than a call into <cmath>, for plain scalar types.
#pragma once

#include <cmath>
#include <complex>
#include <limits>
#include <type_traits>

namespace tapegrad {

inline constexpr double pi = 3.14159265358979323846;
inline constexpr double ln2 = 0.69314718055994530942;
inline constexpr double ln10 = 2.30258509299404568402;
inline constexpr double sqrt_pi = 1.77245385090551602730;
inline constexpr double sqrt_half = 0.70710678118654752440;
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

namespace plain {

template <class T>
inline constexpr bool is_real = std::is_floating_point_v<T>;

// Questions about values, of any element type.
template <class T>
bool truth(const T& x) {
  return x != T(0);
}
template <class T>
bool is_nan(const T& x) {
  return x != x;
}
template <class T>
bool is_infinite(const T& x) {
  if constexpr (is_real<T>) return std::isinf(x);
  else if constexpr (std::is_integral_v<T>) return false;
  else return std::isinf(x.real()) || std::isinf(x.imag());
}

template <class T>
T exp2(const T& x) {
  if constexpr (is_real<T>) return std::exp2(x);
  else return std::exp(x * ln2);
}
template <class T>
T expm1(const T& x) {  // complex: expm1(a) cos b - 2 sin(b/2)^2 + i exp(a) sin b
  if constexpr (is_real<T>) {
    return std::expm1(x);
  } else {
    auto s = std::sin(0.5 * x.imag());
    return {std::expm1(x.real()) * std::cos(x.imag()) - 2 * s * s,
            std::exp(x.real()) * std::sin(x.imag())};
  }
}
template <class T>
T log2(const T& x) {
  if constexpr (is_real<T>) return std::log2(x);
  else return std::log(x) / ln2;
}
template <class T>
T log1p(const T& x) {
  if constexpr (is_real<T>) return std::log1p(x);
  else
    return {0.5 * std::log1p(x.real() * (2 + x.real()) + x.imag() * x.imag()), std::arg(1.0 + x)};
}
template <class T>
T logaddexp(T x, T y) {
  if (x == y) return x + T(ln2);
  return x > y ? x + std::log1p(std::exp(y - x)) : y + std::log1p(std::exp(x - y));
}
template <class T>
T remainder(T x, T y) {  // the sign of y, as Python's %
  T m = std::fmod(x, y);
  if (m != 0 && (y < 0) != (m < 0)) return m + y;
  return m == 0 ? std::copysign(T(0), y) : m;
}
template <class T>
T floor_divide(T x, T y) {  // NumPy's: from the exact remainder, so that 1 // 0.1 is 9
  const T m = std::fmod(x, y);
  T q = (x - m) / y;
  if (m != 0 && (y < 0) != (m < 0)) q -= 1;
  if (q == 0) return std::copysign(T(0), x / y);
  const T f = std::floor(q);
  return q - f > T(0.5) ? f + 1 : f;
}
template <class T>
T maximum(T x, T y) {
  return x >= y || x != x ? x : y;
}
template <class T>
T minimum(T x, T y) {
  return x <= y || x != x ? x : y;
}
template <class T>
T heaviside(T x, T y) {
  return x != x ? x : x < 0 ? T(0) : x > 0 ? T(1) : y;
}
template <class T>
T sign(T x) {
  return x != x ? x : T((x > 0) - (x < 0));
}
template <class T>
T expit(T x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
template <class T>
T scale(const T& adjoint, const T& partial) {
  return adjoint == T(0) ? T(0) : adjoint * partial;
}

// n-th derivative of sin(pi x) / (pi x). From x f = sin(pi x) / pi: x f_n + n f_{n-1} = g_n; near
// 0, where that recurrence cancels, the power series sum (-1)^k pi^2k x^(2k-n) (2k)!/((2k-n)!
// (2k+1)!).
template <class T>
T sinc_derivative(T order, T x_) {
  const int n = static_cast<int>(order);
  const double x = static_cast<double>(x_);
  const double z = pi * x;
  if (std::abs(z) > n + 1.0) {
    double f = std::sin(z) / z;
    for (int k = 1; k <= n; ++k) f = (std::pow(pi, k - 1) * std::sin(z + k * pi / 2) - k * f) / x;
    return T(f);
  }
  const int first = (n + 1) / 2;
  double term = std::pow(-1.0, first) * std::pow(pi, 2 * first) / (2 * first + 1);
  for (int j = 2; j <= 2 * first - n; ++j) term /= j;
  term *= std::pow(x, 2 * first - n);
  double sum = 0;
  for (int k = first; k < first + 40; ++k) {
    sum += term;
    const double m = 2.0 * k;
    term *= -z * z * (m + 1) / ((m - n + 1) * (m - n + 2) * (m + 3));
  }
  return T(sum);
}

}  // namespace plain
}  // namespace tapegrad

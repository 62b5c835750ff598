// Dual numbers v + t eps: evaluating a partial on them gives its tangent, which is what the
// second-order sweep and its kernels need. Generated from the table.
#pragma once

#include "ops/formula.hpp"

namespace tapegrad {

template <class T>
struct Dual {
  T v{}, t{};
  constexpr Dual() = default;
  constexpr explicit Dual(T value) : v(value) {}
  constexpr explicit Dual(int value)
    requires(!std::is_same_v<T, int>)
      : v(static_cast<T>(value)) {}
  constexpr Dual(T value, T tangent) : v(value), t(tangent) {}
};
// True where the compiler sees that a tangent is zero, as that of every literal of a formula: then
// it drops the products that IEEE arithmetic would not let it drop.
#if defined(__GNUC__)
#define TAPEGRAD_NO_TANGENT(t) (__builtin_constant_p(t) && (t) == 0)
#else
#define TAPEGRAD_NO_TANGENT(t) false
#endif

template <class T>
Dual<T> operator-(const Dual<T>& a) {
  return {-a.v, -a.t};
}
template <class T>
Dual<T> operator+(const Dual<T>& a, const Dual<T>& b) {
  if (TAPEGRAD_NO_TANGENT(a.t)) return {a.v + b.v, b.t};
  if (TAPEGRAD_NO_TANGENT(b.t)) return {a.v + b.v, a.t};
  return {a.v + b.v, a.t + b.t};
}
template <class T>
Dual<T> operator-(const Dual<T>& a, const Dual<T>& b) {
  if (TAPEGRAD_NO_TANGENT(a.t)) return {a.v - b.v, -b.t};
  if (TAPEGRAD_NO_TANGENT(b.t)) return {a.v - b.v, a.t};
  return {a.v - b.v, a.t - b.t};
}
template <class T>
Dual<T> operator*(const Dual<T>& a, const Dual<T>& b) {
  if (TAPEGRAD_NO_TANGENT(a.t)) return {a.v * b.v, plain::scale(b.t, a.v)};
  if (TAPEGRAD_NO_TANGENT(b.t)) return {a.v * b.v, plain::scale(a.t, b.v)};
  return {a.v * b.v, plain::scale(a.t, b.v) + plain::scale(b.t, a.v)};
}
template <class T>
Dual<T> operator/(const Dual<T>& a, const Dual<T>& b) {
  const T q = a.v / b.v;
  if (TAPEGRAD_NO_TANGENT(a.t)) return {q, -(q * b.t) / b.v};
  return {q, (a.t - q * b.t) / b.v};
}
#undef TAPEGRAD_NO_TANGENT
template <class T>
Dual<T>& operator+=(Dual<T>& a, const Dual<T>& b) {
  return a = a + b;
}
template <class T>
bool operator==(const Dual<T>& a, const Dual<T>& b) {
  return a.v == b.v;
}
template <class T>
bool operator>(const Dual<T>& a, const Dual<T>& b) {
  return a.v > b.v;
}
template <class T>
bool operator<(const Dual<T>& a, const Dual<T>& b) {
  return a.v < b.v;
}

#define UNARY(name, ...)                                                                      \
  template <class T>                                                                          \
  Dual<T> name(const Dual<T>& x) {                                                            \
    const T r = math::name(x.v);                                                              \
    return {r, plain::scale(x.t, math::Formula<Op::name>::template partial<0>(x.v, T(), r))}; \
  }
#define BINARY(name, ...)                                               \
  template <class T>                                                    \
  Dual<T> name(const Dual<T>& x, const Dual<T>& y) {                    \
    using F = math::Formula<Op::name>;                                  \
    const T r = math::name(x.v, y.v);                                   \
    T t{};                                                              \
    if (x.t != T(0)) t = t + x.t * F::template partial<0>(x.v, y.v, r); \
    if (y.t != T(0)) t = t + y.t * F::template partial<1>(x.v, y.v, r); \
    return {r, t};                                                      \
  }
#include "ops/elementwise.def"

}  // namespace tapegrad

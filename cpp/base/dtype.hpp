// The element types a value can have. Derivatives exist for f64, f32 and c128; b8 and i64 carry
// conditions and indices.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/error.hpp"

namespace tapegrad {

enum class DType : std::uint8_t { f64, f32, c128, b8, i64 };

using Complex = std::complex<double>;

constexpr std::int64_t itemsize(DType t) {
  switch (t) {
    case DType::f64: return 8;
    case DType::f32: return 4;
    case DType::c128: return 16;
    case DType::b8: return 1;
    case DType::i64: return 8;
  }
  return 0;
}
constexpr const char* dtype_name(DType t) {
  constexpr const char* names[] = {"float64", "float32", "complex128", "bool", "int64"};
  return names[static_cast<int>(t)];
}
constexpr bool is_differentiable(DType t) {
  return t == DType::f64 || t == DType::f32 || t == DType::c128;
}

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  else if constexpr (std::is_same_v<T, float>) return DType::f32;
  else if constexpr (std::is_same_v<T, Complex>) return DType::c128;
  else if constexpr (std::is_same_v<T, bool>) return DType::b8;
  else return DType::i64;
}

// NumPy's promotion restricted to these types (float32 with int64 gives float64).
constexpr DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a == DType::c128 || b == DType::c128) return DType::c128;
  if (a == DType::b8) return b;
  if (b == DType::b8) return a;
  return DType::f64;
}

// Calls f with a value of the element type: `dispatch(t, [&](auto zero) { using T = decltype(zero);
// })`.
template <class F>
decltype(auto) dispatch(DType t, F&& f) {
  switch (t) {
    case DType::f64: return f(double{});
    case DType::f32: return f(float{});
    case DType::c128: return f(Complex{});
    case DType::b8: return f(bool{});
    case DType::i64: break;
  }
  return f(std::int64_t{});
}
// The same for the differentiable types only.
template <class F>
decltype(auto) dispatch_float(DType t, F&& f) {
  if (t == DType::f32) return f(float{});
  if (t == DType::c128) return f(Complex{});
  ensure(t == DType::f64, "a differentiable dtype");
  return f(double{});
}

}  // namespace tapegrad

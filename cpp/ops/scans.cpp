// Scans of arrays.
#include "ops/scans.hpp"

#include <algorithm>

#include "base/cloned.hpp"
#include "base/iterate.hpp"

namespace tapegrad {
namespace {

struct IsZero {
  template <class T>
  bool operator()(const T& x) const {
    return x == T(0);
  }
};
struct IsNonfinite {
  template <class T>
  bool operator()(const T& x) const {
    return x - x != T(0);
  }
};

// Answers as wide as the elements, so that they fill vectors.
template <class Bits, class Test, class T>
inline bool any_in(const T* x, std::intptr_t n) {
  Bits found = 0;
  for (std::intptr_t i = 0; i < n; ++i) found |= Test()(x[i]) ? Bits(-1) : Bits(0);
  return found != 0;
}
TAPEGRAD_CLONED bool zero_in(const double* x, std::intptr_t n) {
  return any_in<std::int64_t, IsZero>(x, n);
}
TAPEGRAD_CLONED bool zero_in(const float* x, std::intptr_t n) {
  return any_in<std::int32_t, IsZero>(x, n);
}
TAPEGRAD_CLONED bool nonfinite_in(const double* x, std::intptr_t n) {
  return any_in<std::int64_t, IsNonfinite>(x, n);
}
TAPEGRAD_CLONED bool nonfinite_in(const float* x, std::intptr_t n) {
  return any_in<std::int32_t, IsNonfinite>(x, n);
}

template <class Test, class T>
bool block(const T* x, std::intptr_t n) {
  if constexpr (std::is_floating_point_v<T> && std::is_same_v<Test, IsZero>) return zero_in(x, n);
  else if constexpr (std::is_floating_point_v<T>) return nonfinite_in(x, n);
  else return any_in<char, Test>(x, n);
}

template <class Test>
bool any(const Array& a) {
  constexpr std::intptr_t kBlock = 4096;
  bool found = false;
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_run<1>(
        a.shape(), {walk(a, a.shape())}, [&](char** p, std::intptr_t n, const std::intptr_t* s) {
          if (s[0] == 0) n = std::min<std::intptr_t>(n, 1);
          const bool packed = s[0] == sizeof(T);
          const std::intptr_t step = packed ? kBlock : 1;
          for (std::intptr_t i = 0; i < n && !found; i += step)
            found = block<Test>(reinterpret_cast<const T*>(p[0] + i * s[0]), std::min(step, n - i));
        });
  });
  return found;
}

}  // namespace

bool any_zero(const Array& a) { return any<IsZero>(a); }
bool any_nonfinite(const Array& a) { return any<IsNonfinite>(a); }
bool any_true(const Array& truth) {
  bool found = false;
  for_each_run<1>(truth.shape(), {walk(truth, truth.shape())},
                  [&](char** p, std::intptr_t n, const std::intptr_t* s) {
                    for (std::intptr_t i = 0; i < n; ++i) found |= p[0][i * s[0]] != 0;
                  });
  return found;
}

}  // namespace tapegrad

// Loop templates behind the kernel tables; instantiated by kernels_*.cpp, one file a scalar type.
#pragma once

#include "ops/dual.hpp"
#include "ops/kernels.hpp"

namespace tapegrad::loops {

template <class T>
T load(const char* p) {
  return *reinterpret_cast<const T*>(p);
}

template <Op op, class T>
void unary(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  constexpr std::intptr_t w = sizeof(T);
  if (s[0] == w && s[1] == w) {
    const T* __restrict x = reinterpret_cast<const T*>(p[0]);
    T* __restrict r = reinterpret_cast<T*>(p[1]);
    for (std::intptr_t i = 0; i < *n; ++i) r[i] = math::value<op, T>(x[i]);
    return;
  }
  for (std::intptr_t i = 0; i < *n; ++i)
    *reinterpret_cast<T*>(p[1] + i * s[1]) = math::value<op, T>(load<T>(p[0] + i * s[0]));
}

template <Op op, class T>
void binary(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i)
    *reinterpret_cast<T*>(p[2] + i * s[2]) =
        math::value<op, T>(load<T>(p[0] + i * s[0]), load<T>(p[1] + i * s[1]));
}

// One run of a pull where adjoint, x and y are contiguous (kG, kX, kY) or one repeated number, and the
// rest is contiguous.
template <Op op, int operand, class T, bool accumulate, bool kG, bool kX, bool kY>
void pull_run(char** p, std::intptr_t n) {
  constexpr unsigned needs = probe<op, operand>.needs;
  T* __restrict out = reinterpret_cast<T*>(p[kPullOut]);
  const T* g = reinterpret_cast<const T*>(p[kPullAdjoint]);
  const T* px = reinterpret_cast<const T*>(p[kPullX]);
  const T* py = reinterpret_cast<const T*>(p[kPullY]);
  const T* pr = reinterpret_cast<const T*>(p[kPullR]);
  const T g0 = kG ? T() : g[0];
  const T x0 = needs & kNeedsX && !kX ? px[0] : T();
  const T y0 = needs & kNeedsY && !kY ? py[0] : T();
  for (std::intptr_t i = 0; i < n; ++i) {
    T x = x0, y = y0, r = T();
    if constexpr (static_cast<bool>(needs & kNeedsX) && kX) x = px[i];
    if constexpr (static_cast<bool>(needs & kNeedsY) && kY) y = py[i];
    if constexpr (static_cast<bool>(needs & kNeedsResult)) r = pr[i];
    const T c = plain::scale(kG ? g[i] : g0, math::Formula<op>::template partial<operand>(x, y, r));
    if constexpr (accumulate) out[i] += c;
    else out[i] = c;
  }
}

template <Op op, int operand, class T, bool accumulate>
void pull(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  constexpr std::intptr_t w = sizeof(T);
  constexpr unsigned needs = probe<op, operand>.needs;
  constexpr bool use_x = needs & kNeedsX, use_y = needs & kNeedsY, use_r = needs & kNeedsResult;
  const bool plain_rest = s[kPullOut] == w && (!use_r || s[kPullR] == w);
  const bool cg = s[kPullAdjoint] == w, sg = s[kPullAdjoint] == 0;
  const bool cx = !use_x || s[kPullX] == w, cy = !use_y || s[kPullY] == w;
  if (plain_rest && cg && cx && cy)
    return pull_run<op, operand, T, accumulate, true, true, true>(p, *n);
  if (plain_rest && sg && cx && cy)
    return pull_run<op, operand, T, accumulate, false, true, true>(p, *n);
  if constexpr (use_y)
    if (plain_rest && cg && cx && s[kPullY] == 0)
      return pull_run<op, operand, T, accumulate, true, true, false>(p, *n);
  if constexpr (use_x)
    if (plain_rest && cg && cy && s[kPullX] == 0)
      return pull_run<op, operand, T, accumulate, true, false, true>(p, *n);
  for (std::intptr_t i = 0; i < *n; ++i) {
    T x{}, y{}, r{};
    if constexpr (use_x) x = load<T>(p[kPullX] + i * s[kPullX]);
    if constexpr (use_y) y = load<T>(p[kPullY] + i * s[kPullY]);
    if constexpr (use_r) r = load<T>(p[kPullR] + i * s[kPullR]);
    const T c = plain::scale(load<T>(p[kPullAdjoint] + i * s[kPullAdjoint]),
                             math::Formula<op>::template partial<operand>(x, y, r));
    T& out = *reinterpret_cast<T*>(p[kPullOut] + i * s[kPullOut]);
    if constexpr (accumulate) out += c;
    else out = c;
  }
}

// The pull in dual numbers. With `strided` false every used array is contiguous.
template <Op op, int operand, class T, bool accumulate, bool strided>
void pull2_run(char** p, std::intptr_t n, const std::intptr_t* s) {
  constexpr unsigned needs = probe<op, operand>.needs;
  auto at = [&](int k, std::intptr_t i) {
    return load<T>(p[k] + i * (strided ? s[k] : static_cast<std::intptr_t>(sizeof(T))));
  };
  for (std::intptr_t i = 0; i < n; ++i) {
    Dual<T> x, y, r;
    if constexpr (static_cast<bool>(needs & kNeedsX)) x = {at(kPull2X, i), at(kPull2XT, i)};
    if constexpr (static_cast<bool>(needs & kNeedsY)) y = {at(kPull2Y, i), at(kPull2YT, i)};
    if constexpr (static_cast<bool>(needs & kNeedsResult)) r = {at(kPull2R, i), at(kPull2RT, i)};
    const Dual<T> d = math::Formula<op>::template partial<operand>(x, y, r);
    const T g = at(kPull2Adjoint, i);
    const T c = plain::scale(g, d.v);
    const T ct = plain::scale(at(kPull2AdjointT, i), d.v) + plain::scale(g, d.t);
    const std::intptr_t w = sizeof(T);
    T& out = *reinterpret_cast<T*>(p[kPull2Out] + i * (strided ? s[kPull2Out] : w));
    T& out_t = *reinterpret_cast<T*>(p[kPull2OutT] + i * (strided ? s[kPull2OutT] : w));
    if constexpr (accumulate) {
      out += c;
      out_t += ct;
    } else {
      out = c;
      out_t = ct;
    }
  }
}

template <Op op, int operand, class T, bool accumulate>
void pull2(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  constexpr unsigned needs = probe<op, operand>.needs;
  bool contiguous = true;
  for (int k = 0; k < kPull2Args; ++k) {
    const bool used = k < kPull2X || (k < kPull2Y && (needs & kNeedsX)) ||
                      (k >= kPull2Y && k < kPull2R && (needs & kNeedsY)) ||
                      (k >= kPull2R && (needs & kNeedsResult));
    contiguous &= !used || s[k] == static_cast<std::intptr_t>(sizeof(T));
  }
  if (contiguous) pull2_run<op, operand, T, accumulate, false>(p, *n, s);
  else pull2_run<op, operand, T, accumulate, true>(p, *n, s);
}

template <Op op, class T>
void fill_unary(Kernel& k) {
  if constexpr (!std::is_same_v<T, Complex> || math::Formula<op>::complex) {
    k.value = unary<op, T>;
    k.pull[0][0] = pull<op, 0, T, false>;
    k.pull[0][1] = pull<op, 0, T, true>;
  }
}
template <Op op, class T>
void fill_binary(Kernel& k) {
  if constexpr (!std::is_same_v<T, Complex> || math::Formula<op>::complex) {
    k.value = binary<op, T>;
    k.pull[0][0] = pull<op, 0, T, false>;
    k.pull[0][1] = pull<op, 0, T, true>;
    k.pull[1][0] = pull<op, 1, T, false>;
    k.pull[1][1] = pull<op, 1, T, true>;
  }
}

// Fills the column of one scalar type; kernels_<type>.cpp defines each.
template <class T>
void fill(Kernel* column) {
#define UNARY(name, ...) fill_unary<Op::name, T>(column[static_cast<int>(Op::name)]);
#define BINARY(name, ...) fill_binary<Op::name, T>(column[static_cast<int>(Op::name)]);
#include "ops/elementwise.def"
}

}  // namespace tapegrad::loops

namespace tapegrad {
void fill_f64(Kernel* column);
void fill_f32(Kernel* column);
void fill_c128(Kernel* column);
void fill_dual(Kernel* column);
void fill_blocked(Kernel* column);
}  // namespace tapegrad

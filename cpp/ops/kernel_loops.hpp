// Loop templates behind the kernel tables; instantiated by kernels_*.cpp, one file a scalar type.
#pragma once

#include <algorithm>

#include "base/cloned.hpp"
#include "ops/dual.hpp"
#include "ops/kernels.hpp"
#include "ops/poles.hpp"

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

// scale(adjoint, partial). What was not chosen gets nothing, even from an infinite adjoint; and
// `scale` hands nothing on to the partial that it was given where its own adjoint is zero, even if
// what would be handed on is not finite.
template <Op op, int operand, class T>
T pulled(const T& adjoint, const T& partial) {
  if constexpr (op == Op::scale && operand == 1)
    if (partial == T(0)) return T(0);
  if constexpr (is_choice(op)) return plain::scale(partial, adjoint);
  else return plain::scale(adjoint, partial);
}

// One run of a pull where adjoint, x and y are contiguous (kG, kX, kY) or one repeated number, and
// the rest is contiguous.
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
    const T c = pulled<op, operand, T>(kG ? g[i] : g0,
                                       math::Formula<op>::template partial<operand>(x, y, r));
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
    const T c = pulled<op, operand, T>(load<T>(p[kPullAdjoint] + i * s[kPullAdjoint]),
                                       math::Formula<op>::template partial<operand>(x, y, r));
    T& out = *reinterpret_cast<T*>(p[kPullOut] + i * s[kPullOut]);
    if constexpr (accumulate) out += c;
    else out = c;
  }
}

// The pull in dual numbers on contiguous blocks.
template <Op op, int operand, class T, bool accumulate>
void pull2_block(T* const* p, std::intptr_t n) {
  constexpr unsigned needs = probe<op, operand>.needs;
  T* __restrict out = p[kPull2Out];
  T* __restrict out_t = p[kPull2OutT];
  const T *g = p[kPull2Adjoint], *gt = p[kPull2AdjointT];
  const T *px = p[kPull2X], *pxt = p[kPull2XT], *py = p[kPull2Y], *pyt = p[kPull2YT];
  const T *pr = p[kPull2R], *prt = p[kPull2RT];
  for (std::intptr_t i = 0; i < n; ++i) {
    Dual<T> x, y, r;
    if constexpr (static_cast<bool>(needs & kNeedsX)) x = {px[i], pxt[i]};
    if constexpr (static_cast<bool>(needs & kNeedsY)) y = {py[i], pyt[i]};
    if constexpr (static_cast<bool>(needs & kNeedsResult)) r = {pr[i], prt[i]};
    const Dual<T> d = math::Formula<op>::template partial<operand>(x, y, r);
    const T c = pulled<op, operand, T>(g[i], d.v);
    const T ct = pulled<op, operand, T>(gt[i], d.v) + pulled<op, operand, T>(g[i], d.t);
    if constexpr (accumulate) {
      out[i] += c;
      out_t[i] += ct;
    } else {
      out[i] = c;
      out_t[i] = ct;
    }
  }
}

// Arguments that do not lie contiguously (constants, zero tangents, transposes) go through blocks
// in L1, so that the arithmetic is one vector loop whatever the strides.
template <Op op, int operand, class T, bool accumulate>
void pull2(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  constexpr std::intptr_t kBlock = 256, w = sizeof(T);
  alignas(64) T buffers[kPull2Args][kBlock];
  T* at[kPull2Args];
  auto element = [&](int k, std::intptr_t i) -> T& {
    return *reinterpret_cast<T*>(p[k] + i * s[k]);
  };
  for (int k = 0; k < kPull2Args; ++k)
    if (s[k] == 0) std::fill_n(at[k] = buffers[k], std::min(*n, kBlock), element(k, 0));
  for (std::intptr_t first = 0; first < *n; first += kBlock) {
    const std::intptr_t count = std::min(kBlock, *n - first);
    for (int k = 0; k < kPull2Args; ++k) {
      if (s[k] == 0) continue;
      at[k] = s[k] == w ? &element(k, first) : buffers[k];
      if (s[k] != w)
        for (std::intptr_t i = 0; i < count; ++i) buffers[k][i] = element(k, first + i);
    }
    pull2_block<op, operand, T, accumulate>(at, count);
    for (int k : {kPull2Out, kPull2OutT})
      if (s[k] != w)
        for (std::intptr_t i = 0; i < count; ++i) element(k, first + i) = buffers[k][i];
  }
}

// Fills the values of one scalar type; kernels_<type>.cpp defines each.
template <class T>
void fill_values(Kernel* column) {
  auto exists = []<Op op>() { return !std::is_same_v<T, Complex> || math::Formula<op>::complex; };
#define UNARY(name, ...)                                \
  if constexpr (exists.template operator()<Op::name>()) \
    column[static_cast<int>(Op::name)].value = unary<Op::name, T>;
#define BINARY(name, ...)                               \
  if constexpr (exists.template operator()<Op::name>()) \
    column[static_cast<int>(Op::name)].value = binary<Op::name, T>;
#include "ops/elementwise.def"
}

}  // namespace tapegrad::loops

namespace tapegrad {
void fill_f64(Kernel* column);
void fill_f32(Kernel* column);
void fill_c128(Kernel* column);
void fill_dual(Kernel* column);
void fill_blocked(Kernel* column);
void fill_integers(Kernel* column);
}  // namespace tapegrad

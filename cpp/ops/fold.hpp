// Folds a strided array over some of its axes in the order in which NumPy does, so that sums are
// equal to NumPy's to the last bit. Used by the reductions only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <memory>

#include "base/array.hpp"

namespace tapegrad::fold {

// Folds: identity; combine; run(first, x, n, stride): first combined with n elements (stride in
// bytes).

template <class T>
const T& element(const char* p) {
  return *reinterpret_cast<const T*>(p);
}

// Integers wrap around, as NumPy's.
template <class T>
T plus(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, std::int64_t>)
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  else return a + b;
}
template <class T>
T times(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, std::int64_t>)
    return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  else return a * b;
}

constexpr std::int64_t kBlock = 128;  // numbers summed by 8 accumulators; above that, halves are

// NumPy's pairwise sum of `n` numbers.
template <class T>
T pairwise_sum(const char* p, std::int64_t n, std::int64_t stride) {
  if (n < 8) {
    T sum = T(-0.0);
    for (std::int64_t i = 0; i < n; ++i) sum += element<T>(p + i * stride);
    return sum;
  }
  if (n > kBlock) {
    const std::int64_t half = n / 2 - n / 2 % 8;
    return pairwise_sum<T>(p, half, stride) + pairwise_sum<T>(p + half * stride, n - half, stride);
  }
  T r[8];
  const std::int64_t whole = n - n % 8;
  if (stride == sizeof(T)) {
    const T* x = reinterpret_cast<const T*>(p);
    for (int k = 0; k < 8; ++k) r[k] = x[k];
    for (std::int64_t i = 8; i < whole; i += 8)
      for (int k = 0; k < 8; ++k) r[k] += x[i + k];
  } else {
    for (int k = 0; k < 8; ++k) r[k] = element<T>(p + k * stride);
    for (std::int64_t i = 8; i < whole; i += 8)
      for (int k = 0; k < 8; ++k) r[k] += element<T>(p + (i + k) * stride);
  }
  T sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (std::int64_t i = whole; i < n; ++i) sum += element<T>(p + i * stride);
  return sum;
}

// The same for complex numbers, where a block is 64 of them and 4 accumulate at a time.
inline Complex pairwise_sum_complex(const char* p, std::int64_t n, std::int64_t stride) {
  double re = -0.0, im = -0.0;
  std::int64_t i = 0;
  if (2 * n > kBlock) {
    const std::int64_t half = (n - n % 8) / 2;
    return pairwise_sum_complex(p, half, stride) +
           pairwise_sum_complex(p + half * stride, n - half, stride);
  }
  if (n >= 4) {
    double r[8];
    for (int k = 0; k < 4; ++k) {
      r[2 * k] = element<double>(p + k * stride);
      r[2 * k + 1] = element<double>(p + k * stride + 8);
    }
    for (i = 4; i < n - n % 4; i += 4)
      for (int k = 0; k < 4; ++k) {
        r[2 * k] += element<double>(p + (i + k) * stride);
        r[2 * k + 1] += element<double>(p + (i + k) * stride + 8);
      }
    re = (r[0] + r[2]) + (r[4] + r[6]);
    im = (r[1] + r[3]) + (r[5] + r[7]);
  }
  for (; i < n; ++i) {
    re += element<double>(p + i * stride);
    im += element<double>(p + i * stride + 8);
  }
  return {re, im};
}

template <class In, class Acc>
struct Sum {
  static Acc identity() { return Acc(0); }
  static Acc combine(const Acc& a, const In& x) { return plus(a, static_cast<Acc>(x)); }
  static Acc run(Acc first, const char* p, std::int64_t n, std::int64_t stride) {
    if constexpr (std::is_same_v<Acc, Complex>) {
      return first + pairwise_sum_complex(p, n, stride);
    } else if constexpr (std::is_floating_point_v<Acc>) {
      return first + pairwise_sum<Acc>(p, n, stride);
    } else {
      for (std::int64_t i = 0; i < n; ++i) first = combine(first, element<In>(p + i * stride));
      return first;
    }
  }
};

template <class In, class Acc>
struct Product {
  static Acc identity() { return Acc(1); }
  static Acc combine(const Acc& a, const In& x) {
    if constexpr (std::is_same_v<Acc, Complex>)  // the textbook formula, as NumPy's
      return {a.real() * x.real() - a.imag() * x.imag(), a.real() * x.imag() + a.imag() * x.real()};
    else return times(a, static_cast<Acc>(x));
  }
  static Acc run(Acc first, const char* p, std::int64_t n, std::int64_t stride) {
    for (std::int64_t i = 0; i < n; ++i) first = combine(first, element<In>(p + i * stride));
    return first;
  }
};

// Maximum (sign > 0) or minimum; a NaN stays.
template <class T, int sign>
struct Extremum {
  static T identity() {
    using Limits = std::numeric_limits<T>;
    if constexpr (Limits::has_infinity) return sign > 0 ? -Limits::infinity() : Limits::infinity();
    else return sign > 0 ? Limits::lowest() : Limits::max();
  }
  static T combine(T a, T x) { return (sign > 0 ? x > a : x < a) | (x != x) ? x : a; }
  static T run(T first, const char* p, std::int64_t n, std::int64_t stride) {
    constexpr int kWidth = 32;  // independent extrema, enough for the compiler to vectorise
    std::int64_t i = 0;
    if (stride == sizeof(T) && n >= 2 * kWidth) {
      const T* x = reinterpret_cast<const T*>(p);
      T r[kWidth];
      std::copy_n(x, kWidth, r);
      for (i = kWidth; i + kWidth <= n; i += kWidth)
        for (int k = 0; k < kWidth; ++k) r[k] = combine(r[k], x[i + k]);
      for (const T& extremum : r) first = combine(first, extremum);
    }
    for (; i < n; ++i) first = combine(first, element<T>(p + i * stride));
    return first;
  }
};

struct Axis {
  std::int64_t n = 1, in = 0, out = 0;  // strides in bytes; out 0: this axis is reduced
};

// The axes of a fold, fastest first, ordered by the strides of the input (ties keep C order) and
// merged: the order of NumPy's iterator.
class Plan {
 public:
  // out_strides: one for each axis of x, 0 where it is reduced.
  Plan(const Array& x, const Dims& out_strides) {
    ensure(x.shape().size() <= axes_.size(), "at most 64 axes");
    for (std::size_t d = x.shape().size(); d-- > 0;)
      if (x.shape()[d] != 1) insert({x.shape()[d], x.strides()[d], out_strides[d]});
    merge();
  }
  std::size_t size() const { return size_; }
  Axis operator[](std::size_t i) const { return i < size_ ? axes_[i] : Axis{}; }

 private:
  void insert(const Axis& axis) {
    std::size_t at = size_;
    for (std::size_t i = size_; i-- > 0;) {
      if (axis.in == 0 || axes_[i].in == 0) continue;
      if (std::abs(axes_[i].in) <= std::abs(axis.in)) break;
      at = i;
    }
    std::copy_backward(axes_.begin() + at, axes_.begin() + size_, axes_.begin() + size_ + 1);
    axes_[at] = axis;
    ++size_;
  }
  void merge() {
    std::size_t done = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      Axis* last = done ? &axes_[done - 1] : nullptr;
      if (last && last->in * last->n == axes_[i].in && last->out * last->n == axes_[i].out)
        last->n *= axes_[i].n;
      else axes_[done++] = axes_[i];
    }
    size_ = done;
  }
  std::array<Axis, 64> axes_;
  std::size_t size_ = 0;
};

// Adds `rows` rows of the input onto one row of the result, a block of columns at a time so that
// the result stays in cache. Each column is folded in the order of the rows.
template <class Fold, class In, class Acc>
void fold_rows(const char* in, char* out, const Axis& column, const Axis& row) {
  constexpr std::int64_t kColumns = 1024;
  const bool dense = column.in == sizeof(In) && column.out == sizeof(Acc);
  for (std::int64_t c = 0; c < column.n; c += kColumns) {
    const std::int64_t n = std::min(kColumns, column.n - c);
    const char* x = in + c * column.in;
    char* r = out + c * column.out;
    std::int64_t k = 0;
    for (; dense && k + 4 <= row.n; k += 4, x += 4 * row.in) {
      const In* __restrict x0 = reinterpret_cast<const In*>(x);
      const In* __restrict x1 = reinterpret_cast<const In*>(x + row.in);
      const In* __restrict x2 = reinterpret_cast<const In*>(x + 2 * row.in);
      const In* __restrict x3 = reinterpret_cast<const In*>(x + 3 * row.in);
      Acc* __restrict total = reinterpret_cast<Acc*>(r);
      for (std::int64_t i = 0; i < n; ++i)
        total[i] = Fold::combine(
            Fold::combine(Fold::combine(Fold::combine(total[i], x0[i]), x1[i]), x2[i]), x3[i]);
    }
    for (; k < row.n; ++k, x += row.in)
      for (std::int64_t i = 0; i < n; ++i) {
        Acc& total = *reinterpret_cast<Acc*>(r + i * column.out);
        total = Fold::combine(total, element<In>(x + i * column.in));
      }
  }
}

// Steps two pointers through the axes [first, last) of a plan.
class Odometer {
 public:
  Odometer(const Plan& plan, std::size_t first, std::size_t last)
      : plan_(plan), first_(first), index_(last > first ? last - first : 0, 0) {}
  // False after the last position, with the pointers back at the first.
  bool next(const char*& in, char*& out) {
    for (std::size_t d = 0; d < index_.size(); ++d) {
      const Axis axis = plan_[first_ + d];
      in += axis.in;
      out += axis.out;
      if (++index_[d] < axis.n) return true;
      in -= axis.in * axis.n;
      out -= axis.out * axis.n;
      index_[d] = 0;
    }
    return false;
  }

 private:
  const Plan& plan_;
  std::size_t first_;
  Dims index_;
};

// Several fastest axes, all reduced, that do not merge. NumPy's iterator gathers as many whole
// inner axes as fit its buffer (the core), then whole cores along one axis more, and sums each
// bufferful.
template <class Fold, class In, class Acc>
void fold_gathered(const char* in, Acc& total, const Plan& plan, std::size_t count) {
  constexpr std::int64_t kBuffer = 8192;
  const std::int64_t run = plan[0].n;
  std::int64_t core = run;
  std::size_t axes = 1;
  while (axes < count && core * plan[axes].n <= kBuffer) core *= plan[axes++].n;
  const std::int64_t segment = axes < count ? core * plan[axes].n : core;
  const std::int64_t chunk = std::min(segment, std::max<std::int64_t>(kBuffer / core, 1) * core);
  Odometer rows(plan, 1, count);
  char* nowhere = nullptr;
  if (chunk == run) {  // nothing to gather: each row is a bufferful
    do total = Fold::run(total, in, run, plan[0].in);
    while (rows.next(in, nowhere));
    return;
  }
  const auto buffer = std::make_unique_for_overwrite<In[]>(static_cast<std::size_t>(chunk));
  std::int64_t filled = 0, left = segment;
  do {
    if (plan[0].in == sizeof(In))
      std::memcpy(&buffer[filled], in, static_cast<std::size_t>(run) * sizeof(In));
    else
      for (std::int64_t i = 0; i < run; ++i) buffer[filled + i] = element<In>(in + i * plan[0].in);
    filled += run;
    left -= run;
    if (filled == chunk || left == 0) {
      total = Fold::run(total, reinterpret_cast<const char*>(buffer.get()), filled, sizeof(In));
      filled = 0;
    }
    if (left == 0) left = segment;
  } while (rows.next(in, nowhere));
}

// The first `axes` axes: those that are reduced before the first that is kept, or else a plane.
template <class Fold, class In, class Acc>
void fold_fastest(const char* in, char* out, const Plan& plan, std::size_t axes) {
  const Axis inner = plan[0], outer = plan[1];
  if (inner.out != 0) return fold_rows<Fold, In, Acc>(in, out, inner, axes > 1 ? outer : Axis{});
  Acc& total = *reinterpret_cast<Acc*>(out);
  if (axes > 1) fold_gathered<Fold, In, Acc>(in, total, plan, axes);
  else total = Fold::run(total, in, inner.n, inner.in);
}

// out = fold of x, where `out` is contiguous; out_strides as for Plan.
template <class Fold, class In, class Acc>
void fold_into(const Array& x, const Dims& out_strides, const Array& out) {
  std::fill_n(out.ptr<Acc>(), out.size(), Fold::identity());
  if (x.size() == 0) return;
  const Plan plan(x, out_strides);
  std::size_t axes = 1;
  if (plan[0].out != 0) axes = plan.size() > 1 && plan[1].out == 0 ? 2 : 1;
  else
    while (axes < plan.size() && plan[axes].out == 0) ++axes;
  const char* in = x.data();
  char* to = out.data();
  Odometer outer(plan, axes, plan.size());
  do fold_fastest<Fold, In, Acc>(in, to, plan, axes);
  while (outer.next(in, to));
}

}  // namespace tapegrad::fold

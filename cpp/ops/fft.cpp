// The discrete Fourier transforms along one axis, without a factor in either direction: `fft` of
// complex numbers, `rfft` of real numbers to the first half of the result, `irfft` back from there.
// All are linear, and the adjoint of each is one of them.
#include "ops/fft.hpp"

#include <array>
#include <numbers>
#include <vector>

#include "base/iterate.hpp"
#include "ops/rules.hpp"

namespace tapegrad {
namespace {

// ---- loops of our own, for programs without NumPy ----

using Numbers = std::vector<Complex>;

Complex unit_root(std::size_t numerator, std::size_t denominator, int sign) {
  const double turn = static_cast<double>(numerator) / static_cast<double>(denominator);
  return std::polar(1.0, sign * 2 * std::numbers::pi * turn);
}

// Any power of two: decimation in time.
void transform_power(Numbers& x, int sign) {
  const std::size_t n = x.size();
  for (std::size_t i = 1, j = 0; i < n; ++i) {
    std::size_t bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  Numbers roots(n / 2);
  for (std::size_t k = 0; k < n / 2; ++k) roots[k] = unit_root(k, n, sign);
  for (std::size_t half = 1; half < n; half *= 2)
    for (std::size_t start = 0; start < n; start += 2 * half)
      for (std::size_t k = 0; k < half; ++k) {
        const Complex even = x[start + k], odd = x[start + half + k] * roots[k * (n / (2 * half))];
        x[start + k] = even + odd;
        x[start + half + k] = even - odd;
      }
}

// Any length, by Bluestein: 2jk = j^2 + k^2 - (k - j)^2 makes of the transform a convolution, which
// is a product of transforms whose length is a power of two.
void transform_chirp(Numbers& x, int sign) {
  const std::size_t n = x.size();
  std::size_t padded = 1;
  while (padded < 2 * n - 1) padded *= 2;
  Numbers chirp(n), a(padded), b(padded);
  for (std::size_t j = 0; j < n; ++j) {
    chirp[j] = unit_root(j * j % (2 * n), 2 * n, sign);
    a[j] = x[j] * chirp[j];
    b[j] = b[(padded - j) % padded] = std::conj(chirp[j]);
  }
  transform_power(a, -1);
  transform_power(b, -1);
  for (std::size_t k = 0; k < padded; ++k) a[k] *= b[k];
  transform_power(a, 1);
  for (std::size_t k = 0; k < n; ++k) x[k] = a[k] * chirp[k] / static_cast<double>(padded);
}

void transform(Numbers& x, int sign) {
  const bool power = (x.size() & (x.size() - 1)) == 0;
  power ? transform_power(x, sign) : transform_chirp(x, sign);
}

template <class T>
T& at(char* row, std::size_t i, std::intptr_t stride) {
  return *reinterpret_cast<T*>(row + static_cast<std::intptr_t>(i) * stride);
}

// x becomes n numbers, of which the operand gives the first.
template <Transform kind>
void read_row(char* row, std::intptr_t stride, Numbers& x) {
  const std::size_t n = x.size();
  if constexpr (kind == Transform::hermitian) {
    x[0] = at<Complex>(row, 0, stride).real();
    for (std::size_t k = 1; k <= n / 2; ++k) {
      x[n - k] = std::conj(at<Complex>(row, k, stride));
      x[k] = 2 * k == n ? Complex(x[k].real()) : std::conj(x[n - k]);
    }
  } else if constexpr (kind == Transform::real_even || kind == Transform::real_odd) {
    for (std::size_t j = 0; j < n; ++j) x[j] = at<double>(row, j, stride);
  } else {
    for (std::size_t j = 0; j < n; ++j) x[j] = at<Complex>(row, j, stride);
  }
}

template <Transform kind>
void own_loop(char** args, const std::intptr_t* counts, const std::intptr_t* strides, void*) {
  constexpr bool to_real = kind == Transform::hermitian;
  constexpr int sign = kind == Transform::backward || to_real ? 1 : -1;
  const auto out = static_cast<std::size_t>(counts[2]);
  Numbers x(to_real ? out : static_cast<std::size_t>(counts[1]));
  for (std::intptr_t i = 0; i < counts[0]; ++i) {
    read_row<kind>(args[0] + i * strides[0], strides[3], x);
    transform(x, sign);
    const double factor = at<double>(args[1], static_cast<std::size_t>(i), strides[1]);
    char* row = args[2] + i * strides[2];
    for (std::size_t k = 0; k < out; ++k)
      if constexpr (to_real) at<double>(row, k, strides[4]) = factor * x[k].real();
      else at<Complex>(row, k, strides[4]) = factor * x[k];
  }
}

// ---- what the ops share ----

std::size_t axis_of(Attrs attrs) { return static_cast<std::size_t>(attrs[0]); }

// The operand has the dtype the op takes, the attributes are as many as it has, and the axis is
// one.
void check(const char* op, const Meta& in, Attrs attrs, std::size_t count, DType dtype) {
  if (in.dtype != dtype)
    throw Unsupported(std::string(op) + " takes " + dtype_name(dtype) + ", not " +
                      dtype_name(in.dtype));
  require(attrs.size() == count && attrs[0] >= 0 && attrs[0] < in.shape.ndim(),
          "fft, rfft and irfft: axis out of range");
}

Meta resized(DType dtype, const Meta& in, std::size_t axis, std::int64_t n) {
  Meta out{dtype, in.shape};
  out.shape[axis] = n;
  return out;
}

void transform_rows(Transform kind, const Array& x, std::size_t axis, const Array& out) {
  if (out.size() == 0) return;
  const TransformLoop& rows = transform_loop(kind);
  Dims shape = out.shape(), from = x.strides(), to = out.strides();
  for (Dims* d : {&shape, &from, &to}) d->erase(axis);
  double factor = 1;
  for_each_run<2>(shape, {Walker{x.data(), from}, Walker{out.data(), to}},
                  [&](char** p, std::intptr_t count, const std::intptr_t* s) {
                    char* args[] = {p[0], reinterpret_cast<char*>(&factor), p[1]};
                    const std::intptr_t counts[] = {count, x.shape()[axis], out.shape()[axis]};
                    const std::intptr_t strides[] = {s[0], 0, s[1], x.strides()[axis],
                                                     out.strides()[axis]};
                    rows.loop(args, counts, strides, rows.data);
                  });
}

// x times a row of m = n/2 + 1 numbers along `axis`: `middle` for the elements whose conjugates a
// Hermitian sequence of n numbers has too, 1 for the first one and, if n is even, the last.
Term weigh_middle(Term x, std::size_t axis, std::int64_t n, double middle) {
  const Meta meta = x.algebra->meta(x);
  Dims shape(meta.shape.size(), 1);
  shape[axis] = meta.shape[axis];
  const Array weights = Array::full(DType::f64, shape, middle);
  weights.at<double>(0) = 1;
  if (n % 2 == 0) weights.at<double>(n / 2) = 1;
  return x * x.algebra->constant(weights);
}

void axis_shift(Attrs attrs, const Meta&, Dims& shifted) {
  shifted = attrs;
  ++shifted[0];
}

// ---- fft: attributes axis, backward ----

Meta fft_shape(std::span<const Meta> in, Attrs attrs) {
  check("fft", in[0], attrs, 2, DType::c128);
  return in[0];
}

void fft_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  transform_rows(attrs[1] ? Transform::backward : Transform::forward, in[0], axis_of(attrs), out);
}

// The matrix of the transform is symmetric.
void fft_adjoint(Rule& rule, Term adjoint) {
  rule.add(0, rule.algebra.apply(Op::fft, {adjoint}, rule.attrs));
}

// ---- rfft: attribute axis ----

Meta rfft_shape(std::span<const Meta> in, Attrs attrs) {
  check("rfft", in[0], attrs, 1, DType::f64);
  const std::int64_t n = in[0].shape[axis_of(attrs)];
  require(n > 0, "rfft: no data along the axis");
  return resized(DType::c128, in[0], axis_of(attrs), n / 2 + 1);
}

void rfft_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  const bool odd = in[0].shape()[axis_of(attrs)] % 2 != 0;
  transform_rows(odd ? Transform::real_odd : Transform::real_even, in[0], axis_of(attrs), out);
}

// Re sum_k g_k exp(-2 pi i jk/n): what irfft gives of conj(g), if it counts no element twice.
void rfft_adjoint(Rule& rule, Term adjoint) {
  const std::size_t axis = axis_of(rule.attrs);
  const std::int64_t n = rule.in_meta(0).shape[axis];
  const std::int64_t attrs[] = {rule.attrs[0], n};
  const Term half = weigh_middle(conjugate(adjoint), axis, n, 0.5);
  rule.add(0, rule.algebra.apply(Op::irfft, {half}, attrs));
}

// ---- irfft: attributes axis, length n of the result ----

Meta irfft_shape(std::span<const Meta> in, Attrs attrs) {
  check("irfft", in[0], attrs, 2, DType::c128);
  const std::int64_t n = attrs[1];
  require(n > 0 && in[0].shape[axis_of(attrs)] == n / 2 + 1,
          "irfft: n numbers come from n // 2 + 1");
  return resized(DType::f64, in[0], axis_of(attrs), n);
}

void irfft_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  transform_rows(Transform::hermitian, in[0], axis_of(attrs), out);
}

// x_j = sum_k w_k Re(z_k exp(2 pi i jk/n)) with w = 1 at the ends and 2 between them, so z_k has
// w_k sum_j g_j exp(2 pi i jk/n).
void irfft_adjoint(Rule& rule, Term adjoint) {
  const std::int64_t axis[] = {rule.attrs[0]};
  const Term g = conjugate(rule.algebra.apply(Op::rfft, {adjoint}, axis));
  rule.add(0, weigh_middle(g, axis_of(rule.attrs), rule.attrs[1], 2));
}

}  // namespace

TransformLoop& transform_loop(Transform transform) {
  static std::array<TransformLoop, static_cast<std::size_t>(Transform::count)> table{{
      {own_loop<Transform::forward>},
      {own_loop<Transform::backward>},
      {own_loop<Transform::real_even>},
      {own_loop<Transform::real_odd>},
      {own_loop<Transform::hermitian>},
  }};
  return table[static_cast<std::size_t>(transform)];
}

namespace rules {

const Rules fft = {
    .shape = fft_shape,
    .value = fft_value,
    .tangent = linear_tangent,
    .adjoint = fft_adjoint,
    .lanes = Lanes::shifted,
    .shift = axis_shift,
};
const Rules rfft = {
    .shape = rfft_shape,
    .value = rfft_value,
    .tangent = linear_tangent,
    .adjoint = rfft_adjoint,
    .lanes = Lanes::shifted,
    .shift = axis_shift,
};
const Rules irfft = {
    .shape = irfft_shape,
    .value = irfft_value,
    .tangent = linear_tangent,
    .adjoint = irfft_adjoint,
    .lanes = Lanes::shifted,
    .shift = axis_shift,
};

}  // namespace rules
}  // namespace tapegrad

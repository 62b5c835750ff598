// Rules of the ops that order the elements along an axis. argmax, argmin and argsort give
// positions, int64 without derivative, so these have a shape and a value only; sort looks for the
// positions when a derivative asks for them, since sorting values alone is faster.
#include "ops/sorting.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "ops/parts.hpp"

namespace tapegrad {
namespace {

template <class T>
bool is_nan(const T& x) {
  return x != x;
}
template <class T>
bool less(const T& a, const T& b) {
  return a < b;
}
bool less(const Complex& a, const Complex& b) {
  return a.real() != b.real() ? a.real() < b.real() : a.imag() < b.imag();
}
// NaN counts as the largest when sorting, and as the extremum when looking for one.
template <class T>
bool before(const T& a, const T& b) {
  return less(a, b) || (is_nan(b) && !is_nan(a));
}

std::size_t axis_of(std::span<const Meta> in, Attrs attrs) {
  require(!attrs.empty() && attrs[0] >= 0 && attrs[0] < in[0].shape.ndim(),
          "sorts and positions of extrema: axis out of range");
  return static_cast<std::size_t>(attrs[0]);
}

// The operand with `axis` moved to the end and every row contiguous.
Array rows_of(const Array& x, std::size_t axis) {
  Dims shape = x.shape(), strides = x.strides();
  const std::int64_t n = shape[axis], stride = strides[axis];
  shape.erase(axis);
  strides.erase(axis);
  shape.push_back(n);
  strides.push_back(stride);
  return contiguous(x.view(shape, strides, x.data()));
}

// argmax, argmin ---------------------------------------------------------------------------------

Meta extremum_shape(std::span<const Meta> in, Attrs attrs) {
  const std::size_t axis = axis_of(in, attrs);
  require(in[0].shape[axis] > 0,
          "attempt to get the position of the extremum of an empty sequence");
  Dims shape = in[0].shape;
  shape.erase(axis);
  return {DType::i64, shape};
}

template <int sign, class T>
std::int64_t position(const T* row, std::int64_t n) {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < n && !is_nan(row[best]); ++i)
    if (is_nan(row[i]) || (sign > 0 ? less(row[best], row[i]) : less(row[i], row[best]))) best = i;
  return best;
}

template <int sign>
void extremum_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  const Array rows = rows_of(in[0], static_cast<std::size_t>(attrs[0]));
  const std::int64_t n = rows.shape().back();
  dispatch(rows.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < out.size(); ++i)
      out.at<std::int64_t>(i) = position<sign>(rows.ptr<T>() + i * n, n);
  });
}

// sort, argsort ----------------------------------------------------------------------------------

// Attributes: axis, kind; of argsort a third one, where positions are to be flat: the axis from
// which on they count.
SortKind kind_of(Attrs attrs) { return static_cast<SortKind>(attrs[1]); }

void require_kind(Attrs attrs) {
  require(attrs.size() >= 2 && attrs[1] >= 0 && attrs[1] < static_cast<int>(SortKind::count),
          "sort: unknown kind of sort");
}

// The axis swapped with the last one.
Array along_last(const Array& a, Attrs attrs) {
  return swap_axes_view(a, static_cast<std::size_t>(attrs[0]), a.shape().size() - 1);
}

Meta sort_shape(std::span<const Meta> in, Attrs attrs) {
  axis_of(in, attrs);
  require_kind(attrs);
  require(attrs.size() == 2, "sort: axis and kind");
  return in[0];
}

void sort_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  const Array to = along_last(out, attrs);
  const Array rows = to.contiguous() ? to : Array::empty(to.dtype(), to.shape());
  copy_into(along_last(in[0], attrs), rows);
  const Sort sort = sort_of(rows.dtype(), kind_of(attrs));
  const std::int64_t n = rows.shape().back(), item = itemsize(rows.dtype());
  for (std::int64_t start = 0; start < rows.size(); start += n)
    sort(rows.data() + start * item, n, nullptr);
  if (!to.contiguous()) copy_into(rows, to);
}

// The flat positions of the sorted elements.
Term order_of(Rule& rule) {
  Dims attrs = rule.attrs;
  attrs.push_back(0);
  return rule.algebra.apply(Op::argsort, {rule.in(0)}, attrs);
}
Term sort_tangent(Rule& rule) {
  return rule.algebra.apply(Op::gather, {rule.tangent(0), order_of(rule)});
}
void sort_adjoint(Rule& rule, Term adjoint) {
  rule.add(0,
           rule.algebra.apply(Op::scatter_add, {adjoint, order_of(rule)}, rule.in_meta(0).shape));
}

Meta argsort_shape(std::span<const Meta> in, Attrs attrs) {
  axis_of(in, attrs);
  require_kind(attrs);
  require(attrs.size() == 2 || (attrs.size() == 3 && attrs[2] >= 0 && attrs[2] <= attrs[0]),
          "argsort: axis, kind and where flat positions begin");
  return {DType::i64, in[0].shape};
}

// Positions along an axis become flat ones within the axes from `first` on.
void flatten_positions(const Array& positions, std::size_t axis, std::size_t first) {
  const Dims& shape = positions.shape();
  const auto rest = [&](std::size_t from) {
    return Dims(std::span<const std::int64_t>(shape).subspan(from)).product();
  };
  const std::int64_t inner = rest(axis + 1), block = inner * shape[axis], whole = rest(first);
  auto* p = positions.ptr<std::int64_t>();
  for (std::int64_t i = 0; i < positions.size(); ++i)
    p[i] = p[i] * inner + i % whole / block * block + i % inner;
}

void argsort_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  const Array rows = contiguous(along_last(in[0], attrs)), to = along_last(out, attrs);
  const Array order = to.contiguous() ? to : Array::empty(DType::i64, to.shape());
  const std::int64_t n = rows.shape().back(), item = itemsize(rows.dtype());
  const ArgSort sort = argsort_of(rows.dtype(), kind_of(attrs));
  for (std::int64_t start = 0; start < rows.size(); start += n) {
    auto* indices = reinterpret_cast<std::intptr_t*>(order.ptr<std::int64_t>() + start);
    std::iota(indices, indices + n, std::intptr_t{0});
    sort(rows.data() + start * item, indices, n, nullptr);
  }
  if (!to.contiguous()) copy_into(order, to);
  if (attrs.size() == 3 && out.ndim() > 1)
    flatten_positions(out, static_cast<std::size_t>(attrs[0]), static_cast<std::size_t>(attrs[2]));
}

// Axes move up by one.
void axis_shift(Attrs attrs, const Meta&, Dims& shifted) {
  shifted = attrs;
  ++shifted[0];
  if (shifted.size() == 3) ++shifted[2];
}

template <class T>
int stable_sort(void* values, std::intptr_t count, void*) {
  T* row = static_cast<T*>(values);
  std::stable_sort(row, row + count, before<T>);
  return 0;
}
template <class T>
int stable_argsort(void* values, std::intptr_t* indices, std::intptr_t count, void*) {
  const T* row = static_cast<const T*>(values);
  std::stable_sort(indices, indices + count,
                   [row](std::intptr_t i, std::intptr_t j) { return before(row[i], row[j]); });
  return 0;
}

}  // namespace

namespace {

template <class F>
using ByKind = std::array<F, static_cast<std::size_t>(SortKind::count)>;
template <class F>
using ByType = std::array<ByKind<F>, 5>;

template <class F>
F& entry(ByType<F>& table, DType dtype, SortKind kind) {
  return table[static_cast<std::size_t>(dtype)][static_cast<std::size_t>(kind)];
}

}  // namespace

Sort& sort_of(DType dtype, SortKind kind) {
  constexpr auto row = []<class T>(T) { return ByKind<Sort>{stable_sort<T>, stable_sort<T>}; };
  static ByType<Sort> table{row(double{}), row(float{}), row(Complex{}), row(bool{}),
                            row(std::int64_t{})};
  return entry(table, dtype, kind);
}

ArgSort& argsort_of(DType dtype, SortKind kind) {
  constexpr auto row = []<class T>(T) {
    return ByKind<ArgSort>{stable_argsort<T>, stable_argsort<T>};
  };
  static ByType<ArgSort> table{row(double{}), row(float{}), row(Complex{}), row(bool{}),
                               row(std::int64_t{})};
  return entry(table, dtype, kind);
}

namespace rules {

const Rules argmax = {
    .shape = extremum_shape,
    .value = extremum_value<1>,
    .tangent = nullptr,
    .adjoint = nullptr,
    .lanes = Lanes::shifted,
    .shift = axis_shift,
};
const Rules argmin = {
    .shape = extremum_shape,
    .value = extremum_value<-1>,
    .tangent = nullptr,
    .adjoint = nullptr,
    .lanes = Lanes::shifted,
    .shift = axis_shift,
};
const Rules sort = {
    .shape = sort_shape,
    .value = sort_value,
    .tangent = sort_tangent,
    .adjoint = sort_adjoint,
    .needs = {1u << 0, 0, 0},
    .lanes = Lanes::shifted,
    .shift = axis_shift,
};
const Rules argsort = {
    .shape = argsort_shape,
    .value = argsort_value,
    .tangent = nullptr,
    .adjoint = nullptr,
    .lanes = Lanes::shifted,
    .shift = axis_shift,
};

}  // namespace rules
}  // namespace tapegrad

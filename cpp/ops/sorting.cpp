// Rules of the ops that give positions: argmax, argmin, argsort. Results are int64 and carry no
// derivative, so these have a shape and a value only.
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
          "argmax, argmin and argsort: axis out of range");
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

// argsort ----------------------------------------------------------------------------------------

Meta argsort_shape(std::span<const Meta> in, Attrs attrs) {
  axis_of(in, attrs);
  require(attrs.size() == 2 && attrs[1] >= 0 && attrs[1] < static_cast<int>(SortKind::count),
          "argsort: unknown kind of sort");
  return {DType::i64, in[0].shape};
}

void argsort_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  const auto axis = static_cast<std::size_t>(attrs[0]);
  const Array rows = rows_of(in[0], axis);
  const Array order = Array::empty(DType::i64, rows.shape());
  const std::int64_t n = rows.shape().back();
  const ArgSort sort = argsort_of(rows.dtype(), static_cast<SortKind>(attrs[1]));
  for (std::int64_t start = 0; start < rows.size(); start += n) {
    auto* indices = reinterpret_cast<std::intptr_t*>(order.ptr<std::int64_t>() + start);
    std::iota(indices, indices + n, std::intptr_t{0});
    sort(rows.data() + start * itemsize(rows.dtype()), indices, n, nullptr);
  }
  Dims shape = order.shape(), strides = order.strides();  // the axis goes back to its place
  const std::int64_t stride = strides.back();
  shape.erase(shape.size() - 1);
  strides.erase(strides.size() - 1);
  shape.insert(axis, n);
  strides.insert(axis, stride);
  copy_into(order.view(shape, strides, order.data()), out);
}

// The axis moves up by one; what follows it (the kind of sort) stays.
void axis_shift(Attrs attrs, const Meta&, Dims& shifted) {
  shifted = attrs;
  ++shifted[0];
}

template <class T>
int stable_argsort(void* values, std::intptr_t* indices, std::intptr_t count, void*) {
  const T* row = static_cast<const T*>(values);
  std::stable_sort(indices, indices + count,
                   [row](std::intptr_t i, std::intptr_t j) { return before(row[i], row[j]); });
  return 0;
}

}  // namespace

ArgSort& argsort_of(DType dtype, SortKind kind) {
  using Row = std::array<ArgSort, static_cast<std::size_t>(SortKind::count)>;
  constexpr auto row = []<class T>(T) { return Row{stable_argsort<T>, stable_argsort<T>}; };
  static std::array<Row, 5> table{row(double{}), row(float{}), row(Complex{}), row(bool{}),
                                  row(std::int64_t{})};
  return table[static_cast<std::size_t>(dtype)][static_cast<std::size_t>(kind)];
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

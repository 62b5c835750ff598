// The short ways of functions that arrange elements anew: parse the plain form, decline any other,
// apply ops. What they compute and record is what the function of the same name in
// tapegrad.functions does.
#include <algorithm>

#include "base/copy.hpp"
#include "short_arguments.hpp"
#include "short_ways.hpp"

namespace tapegrad::ways {

PyObject* roll(Given given) {
  Argument x;
  Dims shifts, axes;
  if (!variable_from(given[0], x) || !given[1] || !integers_from(given[1], shifts)) return nullptr;
  const Dims shape = x.value.array.shape();
  if (is_none(given[2])) {
    if (shape.size() != 1 || shifts.size() != 1) return nullptr;
    return record(Op::roll, std::move(x), shifts);
  }
  if (!integers_from(given[2], axes) || axes.size() != shifts.size()) return nullptr;
  Dims attrs(shape.size(), 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto ndim = static_cast<std::int64_t>(shape.size());
    const auto k = static_cast<std::size_t>(axes[i] < 0 ? axes[i] + ndim : axes[i]);
    if (k >= shape.size()) return nullptr;
    // Full turns drop out before they are added, which could overflow.
    attrs[k] += shape[k] ? shifts[i] % shape[k] : 0;
  }
  return record(Op::roll, std::move(x), attrs);
}

// Repeated and padded ----------------------------------------------------------------------------

namespace {
// A new array of this shape.
PyObject* in_rows(Argument x, const Dims& shape) {
  Value row = applied(Op::reshape, std::move(x), shape);
  row.array = contiguous(row.array);
  return new_variable(std::move(row));
}
}  // namespace

PyObject* repeat(Given given) {
  Argument x;
  std::int64_t count = 0, axis = 0;
  if (!variable_from(given[0], x) || !given[1] || !integer_from(given[1], count) || count < 0)
    return nullptr;
  if (is_none(given[2])) x = flat(std::move(x));
  else if (!axis_from(given[2], shape_of(x).size(), axis)) return nullptr;
  const auto k = static_cast<std::size_t>(axis);
  Dims shape = shape_of(x), apart = shape;
  apart.insert(k + 1, 1);
  Dims spread = apart;
  spread[k + 1] = count;
  shape[k] *= count;
  x = on(Op::broadcast_to, on(Op::reshape, std::move(x), apart), spread);
  return in_rows(std::move(x), shape);
}

PyObject* tile(Given given) {
  Argument x;
  Dims counts;
  if (!variable_from(given[0], x) || !given[1] || !integers_from(given[1], counts)) return nullptr;
  Dims shape = shape_of(x), apart, spread, whole;
  while (counts.size() < shape.size()) counts.insert(0, 1);
  while (shape.size() < counts.size()) shape.insert(0, 1);
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (counts[k] < 0) return nullptr;
    for (auto n : {std::int64_t{1}, shape[k]}) apart.push_back(n);
    for (auto n : {counts[k], shape[k]}) spread.push_back(n);
    whole.push_back(counts[k] * shape[k]);
  }
  x = on(Op::broadcast_to, on(Op::reshape, std::move(x), apart), spread);
  return in_rows(std::move(x), whole);
}

namespace {

bool is_sequence(PyObject* o) { return PyTuple_CheckExact(o) || PyList_CheckExact(o); }

// (before, after) for each axis, of a number, a pair, or one of them or as many as axes.
bool widths_from(PyObject* o, std::size_t ndim, Dims& widths) {
  const bool nested = is_sequence(o) && PySequence_Fast_GET_SIZE(o) > 0 &&
                      is_sequence(PySequence_Fast_GET_ITEM(o, 0));
  const std::size_t given = nested ? static_cast<std::size_t>(PySequence_Fast_GET_SIZE(o)) : 1;
  if (given != 1 && given != ndim) return false;
  for (std::size_t k = 0; k < ndim; ++k) {
    PyObject* part =
        nested ? PySequence_Fast_GET_ITEM(o, given == 1 ? 0 : static_cast<Py_ssize_t>(k)) : o;
    Dims pair;
    if (!integers_from(part, pair) || pair.empty() || pair.size() > 2) return false;
    for (auto width : {pair[0], pair.back()}) {
      if (width < 0) return false;
      widths.push_back(width);
    }
  }
  return true;
}

}  // namespace

// With zeros.
PyObject* pad(Given given) {
  Argument x;
  Dims widths, attrs;
  if (!variable_from(given[0], x) || !given[1]) return nullptr;
  PyObject* mode = given[2];
  const bool constant = !mode || (PyUnicode_CheckExact(mode) &&
                                  PyUnicode_CompareWithASCIIString(mode, "constant") == 0);
  const Dims shape = shape_of(x);
  if (!constant || !widths_from(given[1], shape.size(), widths)) return nullptr;
  for (std::size_t k = 0; k < shape.size(); ++k)
    for (auto v : {widths[2 * k], std::int64_t{1}, widths[2 * k] + shape[k] + widths[2 * k + 1]})
      attrs.push_back(v);
  return record(Op::unslice, std::move(x), attrs);
}

// Taken ------------------------------------------------------------------------------------------

namespace {

Argument at(Argument x, Array places) {
  // Nobody else can write to the places.
  return on(Op::gather, std::move(x), {{kNoOperand, std::move(places)}, false, true});
}

// The flat positions that lines along the axis take, in the shape that NumPy gives.
Array positions_of_lines(const Dims& shape, std::size_t axis, const Array& lines) {
  std::int64_t outer = 1, inner = 1;
  Dims taken;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (k != axis) taken.push_back(shape[k]);
    else
      for (auto n : lines.shape()) taken.push_back(n);
    if (k < axis) outer *= shape[k];
    if (k > axis) inner *= shape[k];
  }
  const Array places = Array::empty(DType::i64, taken);
  auto* next = places.ptr<std::int64_t>();
  for (std::int64_t i = 0; i < outer; ++i)
    for (std::int64_t j = 0; j < lines.size(); ++j)
      for (std::int64_t k = 0; k < inner; ++k)
        *next++ = (i * shape[axis] + lines.at<std::int64_t>(j)) * inner + k;
  return places;
}

}  // namespace

PyObject* take(Given given) {
  Argument x;
  std::int64_t axis = 0;
  if (!given[1] || !variable_from(given[0], x)) return nullptr;
  if (is_none(given[2])) x = flat(std::move(x));
  else if (!axis_from(given[2], shape_of(x).size(), axis)) return nullptr;
  PyObject* indices = given[1];
  const bool integers = PyList_CheckExact(indices) ||
                        (PyArray_CheckExact(indices) &&
                         PyArray_TYPE(reinterpret_cast<PyArrayObject*>(indices)) == NPY_INT64);
  const Dims shape = shape_of(x);
  const auto k = static_cast<std::size_t>(axis);
  Array lines;
  if (!integers || !plain_positions(Dims{shape[k]}, indices, lines)) return nullptr;
  if (shape.size() > 1) lines = positions_of_lines(shape, k, lines);
  return result(at(std::move(x), std::move(lines)));
}

PyObject* sort(Given given) {
  Argument x;
  std::int64_t axis = 0;
  if (!variable_from(given[0], x) || x.value.array.ndim() == 0) return nullptr;
  if (!given[1]) axis = x.value.array.ndim() - 1;
  else if (is_none(given[1])) x = flat(std::move(x));
  else if (!axis_from(given[1], shape_of(x).size(), axis)) return nullptr;
  return record(Op::sort, std::move(x), Dims{axis, 0});
}

// Diagonals --------------------------------------------------------------------------------------

namespace {

// The positions (r, c), (r + 1, c + 1), ... in rows of the given length, from row or column 0 on.
Array positions_on_diagonal(std::int64_t offset, std::int64_t columns, std::int64_t count) {
  const Array places = Array::empty(DType::i64, Dims{count});
  const std::int64_t first = offset < 0 ? -offset * columns : offset;
  for (std::int64_t i = 0; i < count; ++i) places.at<std::int64_t>(i) = first + i * (columns + 1);
  return places;
}

// Of (x, offset).
bool diagonal_from(Given given, Argument& x, Array& places) {
  std::int64_t offset = 0;
  if (!variable_from(given[0], x) || x.value.array.ndim() != 2) return false;
  if (given[1] && !integer_from(given[1], offset)) return false;
  const Dims shape = shape_of(x);
  if (offset < -shape[0] || offset > shape[1]) return false;
  const std::int64_t count = std::min(shape[0] + std::min(offset, std::int64_t{0}),
                                      shape[1] - std::max(offset, std::int64_t{0}));
  places = positions_on_diagonal(offset, shape[1], count);
  return true;
}

}  // namespace

PyObject* diagonal(Given given) {
  Argument x;
  Array places;
  return diagonal_from(given, x, places) ? new_gathered_view(given[0], places) : nullptr;
}
PyObject* trace(Given given) {
  Argument x;
  Array places;
  if (!diagonal_from(given, x, places)) return nullptr;
  return record(Op::sum, at(std::move(x), std::move(places)), Dims{0, 0});
}

PyObject* diag(Given given) {
  Argument x;
  std::int64_t offset = 0;
  if (!variable_from(given[0], x) || x.value.array.ndim() != 1) return diagonal(given);
  if (given[1] && !integer_from(given[1], offset)) return nullptr;
  const std::int64_t count = x.value.array.size();
  constexpr std::int64_t kLargest = 1 << 30;  // n * n does not overflow
  if (offset > kLargest || offset < -kLargest) return nullptr;
  const std::int64_t n = count + (offset < 0 ? -offset : offset);
  const Array places = positions_on_diagonal(offset, n, count);
  return result(on(Op::scatter_add, std::move(x), {{kNoOperand, places}, false, true}, Dims{n, n}));
}

}  // namespace tapegrad::ways

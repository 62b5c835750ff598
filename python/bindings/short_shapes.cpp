// The short ways of functions whose results are views: parse the plain form, decline any other,
// apply ops. What they compute and record is what the function of the same name in
// tapegrad.functions does.
#include <algorithm>

#include "base/copy.hpp"
#include "short_arguments.hpp"
#include "short_ways.hpp"

namespace tapegrad::ways {

namespace {
// The shape asked for, -1 worked out.
bool wanted_shape(PyObject* asked, std::int64_t size, Dims& shape) {
  if (!integers_from(asked, shape)) return false;
  std::int64_t known = 1, *unknown = nullptr;
  for (auto& n : shape) {
    if (n < -1 || (n == -1 && unknown)) return false;
    if (n == -1) unknown = &n;
    else known *= n;
  }
  if (!unknown) return true;
  if (known == 0 || size % known != 0) return false;
  *unknown = size / known;
  return true;
}
}  // namespace

PyObject* reshape(Given given) {
  Dims shape;
  if (!given[1] || !is_variable(given[0])) return nullptr;
  const std::int64_t size = peek(as_variable(given[0])).size();
  if (!wanted_shape(given[1], size, shape)) return nullptr;
  return new_view(given[0], Op::reshape, shape);
}

PyObject* ravel(Given given) {
  if (!is_variable(given[0])) return nullptr;
  return new_view(given[0], Op::reshape, Dims{peek(as_variable(given[0])).size()}, Cut::ravel);
}

PyObject* flatten(Given given) {
  Argument x;
  if (!variable_from(given[0], x)) return nullptr;
  const Dims row{x.value.array.size()};
  Value copy = applied(Op::reshape, std::move(x), row);
  copy.array = contiguous(copy.array);  // NumPy copies in C order
  copy.guessed = false;
  return new_variable(std::move(copy));
}

PyObject* transpose(Given given) {
  if (!is_variable(given[0])) return nullptr;
  const auto ndim = static_cast<std::size_t>(peek(as_variable(given[0])).ndim());
  Dims axes;
  if (is_none(given[1])) {
    for (std::size_t k = ndim; k-- > 0;) axes.push_back(static_cast<std::int64_t>(k));
  } else {
    if (PyLong_CheckExact(given[1]) || !axes_from(given[1], ndim, axes)) return nullptr;
    if (axes.size() != ndim) return nullptr;
  }
  return new_view(given[0], Op::transpose, axes);
}

PyObject* swapaxes(Given given) {
  if (!given[1] || !given[2] || !is_variable(given[0])) return nullptr;
  const auto ndim = static_cast<std::size_t>(peek(as_variable(given[0])).ndim());
  std::int64_t a = 0, b = 0;
  if (!axis_from(given[1], ndim, a) || !axis_from(given[2], ndim, b)) return nullptr;
  Dims axes;
  for (std::size_t k = 0; k < ndim; ++k) axes.push_back(static_cast<std::int64_t>(k));
  std::swap(axes[static_cast<std::size_t>(a)], axes[static_cast<std::size_t>(b)]);
  return new_view(given[0], Op::transpose, axes);
}

namespace {
// Turned round along one axis, or along all if it is -1.
PyObject* turned(PyObject* x, std::int64_t axis) {
  const Dims shape = peek(as_variable(x)).shape();
  Dims slices;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const bool back = (axis < 0 || axis == static_cast<std::int64_t>(d)) && shape[d] > 0;
    for (std::int64_t v : {back ? shape[d] - 1 : 0, std::int64_t{back ? -1 : 1}, shape[d]})
      slices.push_back(v);
  }
  return new_view(x, Op::slice, slices);
}
}  // namespace

PyObject* flip(Given given) {
  if (!is_variable(given[0])) return nullptr;
  const auto ndim = static_cast<std::size_t>(peek(as_variable(given[0])).ndim());
  std::int64_t axis = -1;
  if (!is_none(given[1]) && !axis_from(given[1], ndim, axis)) return nullptr;
  return turned(given[0], axis);
}
PyObject* flipud(Given given) {
  if (!is_variable(given[0]) || peek(as_variable(given[0])).ndim() < 1) return nullptr;
  return turned(given[0], 0);
}
PyObject* fliplr(Given given) {
  if (!is_variable(given[0]) || peek(as_variable(given[0])).ndim() < 2) return nullptr;
  return turned(given[0], 1);
}

PyObject* expand_dims(Given given) {
  if (!given[1] || !is_variable(given[0])) return nullptr;
  Dims shape = peek(as_variable(given[0])).shape();
  std::int64_t axis = 0;
  if (!axis_from(given[1], shape.size() + 1, axis)) return nullptr;
  shape.insert(static_cast<std::size_t>(axis), 1);
  return new_view(given[0], Op::reshape, shape);
}

PyObject* squeeze(Given given) {
  if (!is_variable(given[0])) return nullptr;
  const Dims whole = peek(as_variable(given[0])).shape();
  Dims dropped, shape;
  if (!is_none(given[1]) && !axes_from(given[1], whole.size(), dropped)) return nullptr;
  for (std::size_t k = 0; k < whole.size(); ++k) {
    const bool named =
        std::find(dropped.begin(), dropped.end(), static_cast<std::int64_t>(k)) != dropped.end();
    if (named && whole[k] != 1) return nullptr;
    if (whole[k] != 1 || !(named || is_none(given[1]))) shape.push_back(whole[k]);
  }
  return new_view(given[0], Op::reshape, shape);
}

PyObject* moveaxis(Given given) {
  if (!given[1] || !given[2] || !is_variable(given[0])) return nullptr;
  const auto ndim = static_cast<std::size_t>(peek(as_variable(given[0])).ndim());
  std::int64_t from = 0, to = 0;
  if (!axis_from(given[1], ndim, from) || !axis_from(given[2], ndim, to)) return nullptr;
  Dims axes;
  for (std::size_t k = 0; k < ndim; ++k) axes.push_back(static_cast<std::int64_t>(k));
  axes.erase(static_cast<std::size_t>(from));
  axes.insert(static_cast<std::size_t>(to), from);
  return new_view(given[0], Op::transpose, axes);
}

PyObject* matrix_transpose(Given given) {
  if (!is_variable(given[0])) return nullptr;
  const auto ndim = static_cast<std::size_t>(peek(as_variable(given[0])).ndim());
  if (ndim < 2) return nullptr;
  Dims axes;
  for (std::size_t k = 0; k < ndim; ++k) axes.push_back(static_cast<std::int64_t>(k));
  std::swap(axes[ndim - 1], axes[ndim - 2]);
  return new_view(given[0], Op::transpose, axes);
}

namespace {
// Axes of length 1 in front.
PyObject* at_least(PyObject* x, std::size_t ndim) {
  if (!is_variable(x)) return nullptr;
  Dims shape = peek(as_variable(x)).shape();
  if (shape.size() >= ndim) return Py_NewRef(x);
  while (shape.size() < ndim) shape.insert(0, 1);
  return new_view(x, Op::reshape, shape);
}
}  // namespace

PyObject* atleast_1d(Given given) { return at_least(given[0], 1); }
PyObject* atleast_2d(Given given) { return at_least(given[0], 2); }

}  // namespace tapegrad::ways

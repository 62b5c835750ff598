// The short ways, one function each: parse the plain form, decline any other, apply ops. What they
// compute and record is what the function of the same name in tapegrad.functions does.
#include "short_ways.hpp"

#include <vector>

#include "base/copy.hpp"
#include "short_arguments.hpp"

namespace tapegrad::ways {
namespace {

// Reductions -------------------------------------------------------------------------------------

// keepdims, then the axes in ascending order, as the ops of reductions take them.
bool reduced_axes(PyObject* axis, PyObject* keepdims, std::size_t ndim, Dims& attrs) {
  bool keep = false;
  if (!flag_from(keepdims, keep)) return false;
  Dims reduced(ndim, is_none(axis)), named;
  if (!is_none(axis)) {
    if (PyList_CheckExact(axis) || !integers_from(axis, named)) return false;
    for (auto k : named) {
      const auto d = static_cast<std::size_t>(k < 0 ? k + static_cast<std::int64_t>(ndim) : k);
      if (d >= ndim || reduced[d]++) return false;
    }
  }
  attrs = Dims{keep};
  for (std::size_t d = 0; d < ndim; ++d)
    if (reduced[d]) attrs.push_back(static_cast<std::int64_t>(d));
  return true;
}

template <Op op>
PyObject* reduction(Given given) {
  Argument x;
  Dims attrs;
  if (!variable_from(given[0], x)) return nullptr;
  const Array& a = x.value.array;
  if (!reduced_axes(given[1], given[2], a.shape().size(), attrs)) return nullptr;
  const bool extreme = op == Op::max || op == Op::min;
  if (extreme && (a.dtype() == DType::c128 || a.size() == 0)) return nullptr;
  return record(op, std::move(x), attrs);
}

}  // namespace

PyObject* sum(Given given) { return reduction<Op::sum>(given); }
PyObject* prod(Given given) { return reduction<Op::prod>(given); }
PyObject* max(Given given) { return reduction<Op::max>(given); }
PyObject* min(Given given) { return reduction<Op::min>(given); }

PyObject* mean(Given given) {
  Argument x;
  Dims attrs;
  if (!variable_from(given[0], x)) return nullptr;
  const Dims shape = x.value.array.shape();
  if (!reduced_axes(given[1], given[2], shape.size(), attrs)) return nullptr;
  std::int64_t count = 1;
  for (std::size_t i = 1; i < attrs.size(); ++i) count *= shape[static_cast<std::size_t>(attrs[i])];
  if (count == 0) return nullptr;
  Argument in[] = {own(applied(Op::sum, std::move(x), attrs)), number(static_cast<double>(count))};
  return record(Op::divide, in);
}

// sqrt(x . x) of everything, as np.linalg.norm computes it; the slope at zero is 0 by convention.
PyObject* norm(Given given) {
  Argument x;
  if (program_session()) return nullptr;  // which asks about zero at each replay
  if (!variable_from(given[0], x) || x.value.array.dtype() == DType::c128) return nullptr;
  if (x.value.array.ndim() != 1)
    x.value = applied(Op::reshape, std::move(x), Dims{x.value.array.size()});
  x.variable = true;
  Argument pair[] = {x, x};
  const Argument square = own(apply(Op::matmul, pair, {}));
  const Array& a = square.value.array;
  const bool zero = a.dtype() == DType::f32 ? a.at<float>() == 0.0f : a.at<double>() == 0.0;
  if (!zero && !program_session()) return record(Op::sqrt, square);  // the choice is final
  Argument at_zero[] = {square, number(0.0)};
  Argument in[] = {own(apply(Op::equal, at_zero, {})), number(0.0), own(applied(Op::sqrt, square))};
  return record(Op::where, in);
}

// Elementwise ------------------------------------------------------------------------------------

PyObject* where(Given given) {
  Argument in[3];
  for (int i = 0; i < 3; ++i)
    if (!operand_or_number(given[i], in[i])) return nullptr;
  if (in[0].value.array.dtype() != DType::b8) return nullptr;
  return record(Op::where, in);
}

PyObject* clip(Given given) {
  Argument in[2];
  if (!variable_from(given[0], in[0]) || (is_none(given[1]) && is_none(given[2]))) return nullptr;
  for (int i : {1, 2}) {
    if (is_none(given[i])) continue;
    in[1] = {};
    if (!operand_or_number(given[i], in[1])) return nullptr;
    for (const Argument& a : in)
      if (a.value.array.dtype() == DType::c128) return nullptr;
    in[0] = own(apply(i == 1 ? Op::maximum : Op::minimum, in, {}));
  }
  return new_variable(std::move(in[0].value));
}

PyObject* astype(Given given) {
  Argument x;
  if (!given[1] || !variable_from(given[0], x)) return nullptr;
  PyArray_Descr* wanted = nullptr;
  if (PyArray_DescrConverter(given[1], &wanted) != NPY_SUCCEED) {
    PyErr_Clear();  // the long way makes the error
    return nullptr;
  }
  const auto holder = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(wanted));
  for (DType to : {DType::f64, DType::f32, DType::c128}) {
    const auto dtype = py::reinterpret_steal<py::object>(dtype_to_numpy(to));
    if (dtype.ptr() != holder.ptr()) continue;
    if (to == x.value.array.dtype()) return record(Op::positive, std::move(x));
    return record(Op::cast, std::move(x), Dims{static_cast<std::int64_t>(to)});
  }
  return nullptr;
}

namespace {
PyObject* filled_like(PyObject* x, double value) {
  if (!is_variable(x)) return nullptr;
  const Meta like = peek(as_variable(x)).meta();
  if (!is_differentiable(like.dtype)) return nullptr;
  return new_variable({kNoOperand, Array::full(like.dtype, like.shape, value)});
}
}  // namespace

PyObject* zeros_like(Given given) { return filled_like(given[0], 0.0); }
PyObject* ones_like(Given given) { return filled_like(given[0], 1.0); }
PyObject* full_like(Given given) {
  if (!given[1] || !PyFloat_CheckExact(given[1])) return nullptr;
  return filled_like(given[0], PyFloat_AS_DOUBLE(given[1]));
}

// Products ---------------------------------------------------------------------------------------

PyObject* dot(Given given) {
  Argument in[2];
  if (!operand_from(given[0], in[0]) || !operand_from(given[1], in[1])) return nullptr;
  const int a = in[0].value.array.ndim(), b = in[1].value.array.ndim();
  if (a > 2 || b > 2) return nullptr;
  return record(a == 0 || b == 0 ? Op::multiply : Op::matmul, in);
}

// Of vectors; vdot would conjugate complex numbers.
PyObject* inner(Given given) {
  Argument in[2];
  if (!operand_from(given[0], in[0]) || !operand_from(given[1], in[1])) return nullptr;
  for (const Argument& a : in)
    if (a.value.array.ndim() != 1) return nullptr;
  return record(Op::matmul, in);
}
PyObject* vdot(Given given) {
  Argument first;
  if (!operand_from(given[0], first) || first.value.array.dtype() == DType::c128) return nullptr;
  return inner(given);
}

PyObject* outer(Given given) {
  Argument in[2];
  if (!operand_from(given[0], in[0]) || !operand_from(given[1], in[1])) return nullptr;
  for (const Argument& a : in)
    if (a.value.array.ndim() != 1) return nullptr;
  in[0].value = apply(Op::reshape, {in, 1}, Dims{in[0].value.array.size(), 1});
  return record(Op::multiply, in);
}

// Shapes: views ----------------------------------------------------------------------------------

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
  return new_view(given[0], Op::reshape, Dims{peek(as_variable(given[0])).size()});
}

PyObject* flatten(Given given) {
  Argument x;
  if (!variable_from(given[0], x)) return nullptr;
  const Dims row{x.value.array.size()};
  Value copy = applied(Op::reshape, std::move(x), row);
  copy.array = contiguous(copy.array);  // NumPy copies in C order
  return new_variable(std::move(copy));
}

PyObject* transpose(Given given) {
  if (!is_variable(given[0])) return nullptr;
  const auto ndim = static_cast<std::size_t>(peek(as_variable(given[0])).ndim());
  Dims axes;
  if (is_none(given[1])) {
    for (std::size_t k = ndim; k-- > 0;) axes.push_back(static_cast<std::int64_t>(k));
  } else {
    Dims seen(ndim, 0);
    if (PyLong_CheckExact(given[1]) || !integers_from(given[1], axes)) return nullptr;
    if (axes.size() != ndim) return nullptr;
    for (auto& axis : axes) {
      if (axis < 0) axis += static_cast<std::int64_t>(ndim);
      const auto k = static_cast<std::size_t>(axis);
      if (k >= ndim || seen[k]++) return nullptr;
    }
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

PyObject* flip(Given given) {
  if (!is_variable(given[0])) return nullptr;
  const Dims shape = peek(as_variable(given[0])).shape();
  std::int64_t axis = -1;  // all
  if (!is_none(given[1]) && !axis_from(given[1], shape.size(), axis)) return nullptr;
  Dims slices;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const bool turned = (axis < 0 || axis == static_cast<std::int64_t>(d)) && shape[d] > 0;
    slices.push_back(turned ? shape[d] - 1 : 0);
    slices.push_back(turned ? -1 : 1);
    slices.push_back(shape[d]);
  }
  return new_view(given[0], Op::slice, slices);
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
  Dims shape;
  for (auto n : peek(as_variable(given[0])).shape())
    if (n != 1) shape.push_back(n);
  return new_view(given[0], Op::reshape, shape);
}

// Shapes: new arrays -----------------------------------------------------------------------------

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

PyObject* diff(Given given) {
  Argument x;
  if (!variable_from(given[0], x) || x.value.array.ndim() == 0) return nullptr;
  const Dims shape = x.value.array.shape();
  const std::int64_t n = shape.back();
  if (n == 0) return nullptr;
  Dims later, earlier;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    const bool last = k + 1 == shape.size();
    for (auto v : {std::int64_t{last}, std::int64_t{1}, shape[k] - last}) later.push_back(v);
    for (auto v : {std::int64_t{0}, std::int64_t{1}, shape[k] - last}) earlier.push_back(v);
  }
  Argument in[] = {own(applied(Op::slice, x, later)), own(applied(Op::slice, x, earlier))};
  return record(Op::subtract, in);
}

namespace {

// The parts of a tuple or list, all with one number of axes.
bool parts_from(PyObject* sequence, std::vector<Argument>& parts) {
  if (!PyTuple_CheckExact(sequence) && !PyList_CheckExact(sequence)) return false;
  parts.resize(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence)));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!operand_from(PySequence_Fast_ITEMS(sequence)[i], parts[i])) return false;
    if (parts[i].value.array.ndim() != parts[0].value.array.ndim()) return false;
  }
  return !parts.empty();
}

PyObject* joined(std::vector<Argument>& parts, std::int64_t axis) {
  return record(Op::concatenate, parts, Dims{axis});
}

// The op gives an operand that lacks the axis a length of 1 along it, if another one has it or it
// is the last: so at most one part is reshaped.
PyObject* stack_along(std::vector<Argument>& parts, std::int64_t axis) {
  Dims shape = parts[0].value.array.shape();
  for (const Argument& part : parts)
    if (!(part.value.array.shape() == shape)) return nullptr;
  if (axis < static_cast<std::int64_t>(shape.size())) {
    shape.insert(static_cast<std::size_t>(axis), 1);
    parts[0].value = apply(Op::reshape, {parts.data(), 1}, shape);
  }
  return joined(parts, axis);
}

}  // namespace

PyObject* concatenate(Given given) {
  std::vector<Argument> parts;
  std::int64_t axis = 0;
  if (!parts_from(given[0], parts)) return nullptr;
  const std::size_t ndim = parts[0].value.array.shape().size();
  if (ndim == 0 || (given[1] && !axis_from(given[1], ndim, axis))) return nullptr;
  return joined(parts, axis);
}

PyObject* stack(Given given) {
  std::vector<Argument> parts;
  std::int64_t axis = 0;
  if (!parts_from(given[0], parts)) return nullptr;
  const std::size_t ndim = parts[0].value.array.shape().size();
  if (given[1] && !axis_from(given[1], ndim + 1, axis)) return nullptr;
  return stack_along(parts, axis);
}

PyObject* hstack(Given given) {
  std::vector<Argument> parts;
  if (!parts_from(given[0], parts)) return nullptr;
  const int ndim = parts[0].value.array.ndim();
  return ndim == 0 ? nullptr : joined(parts, ndim == 1 ? 0 : 1);
}

PyObject* vstack(Given given) {
  std::vector<Argument> parts;
  if (!parts_from(given[0], parts)) return nullptr;
  const int ndim = parts[0].value.array.ndim();
  if (ndim == 0) return nullptr;
  return ndim == 1 ? stack_along(parts, 0) : joined(parts, 0);
}

// Of all elements in a row, or of a vector.
PyObject* take(Given given) {
  Argument in[2];
  if (!given[1] || !variable_from(given[0], in[0])) return nullptr;
  const Array& x = in[0].value.array;
  std::int64_t axis = 0;
  if (!is_none(given[2]) && (x.ndim() != 1 || !axis_from(given[2], 1, axis))) return nullptr;
  PyObject* indices = given[1];
  const bool integers = PyArray_CheckExact(indices) &&
                        PyArray_TYPE(reinterpret_cast<PyArrayObject*>(indices)) == NPY_INT64;
  if (!integers || !plain_positions(Dims{x.size()}, indices, in[1].value.array)) return nullptr;
  in[1].variable = true;  // nobody else can write to it
  return record(Op::gather, in);
}

}  // namespace tapegrad::ways

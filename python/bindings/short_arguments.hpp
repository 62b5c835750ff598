// What the short ways share: arguments taken in their plain forms only, and ops applied to them.
// Each `..._from` is false for any other form, which the caller declines.
#pragma once

#include "convert.hpp"
#include "variable.hpp"

namespace tapegrad::ways {

inline bool is_number(PyObject* o) {
  return PyFloat_CheckExact(o) || PyLong_CheckExact(o) || PyBool_Check(o) ||
         PyComplex_CheckExact(o);
}

// A Variable or exactly an ndarray; subclasses and sequences go the long way.
inline bool operand_from(PyObject* o, Argument& a) {
  if (!o) return false;
  if (is_variable(o)) return argument_from(o, a);
  if (!PyArray_CheckExact(o)) return false;
  a.value.array = array_from(o, "an operand");
  return true;
}
inline bool operand_or_number(PyObject* o, Argument& a) {
  if (o && is_number(o)) return number_from(o, a.value.array, a.weak);
  return operand_from(o, a);
}
// A Variable of a differentiable dtype.
inline bool variable_from(PyObject* o, Argument& a) {
  return is_variable(o) && argument_from(o, a) && is_differentiable(a.value.array.dtype());
}
inline Argument own(Value value) { return {std::move(value), false, true}; }
inline Argument number(double v) { return {{kNoOperand, Array::scalar(v)}, true, false}; }

inline bool is_none(PyObject* o) { return !o || o == Py_None; }

inline bool integer_from(PyObject* o, std::int64_t& value) {
  if (!PyLong_CheckExact(o)) return false;
  int overflow = 0;
  value = PyLong_AsLongLongAndOverflow(o, &overflow);
  return !overflow;
}
// Counted from the front.
inline bool axis_from(PyObject* o, std::size_t ndim, std::int64_t& axis) {
  const auto n = static_cast<std::int64_t>(ndim);
  if (!integer_from(o, axis) || axis < -n || axis >= n) return false;
  if (axis < 0) axis += n;
  return true;
}
// An integer, or a tuple or list of them.
inline bool integers_from(PyObject* o, Dims& values) {
  const bool sequence = PyTuple_CheckExact(o) || PyList_CheckExact(o);
  PyObject** items = sequence ? PySequence_Fast_ITEMS(o) : &o;
  values.resize(sequence ? static_cast<std::size_t>(PySequence_Fast_GET_SIZE(o)) : 1);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!integer_from(items[i], values[i])) return false;
  return true;
}
// One axis or several, each named once, counted from the front.
inline bool axes_from(PyObject* o, std::size_t ndim, Dims& axes) {
  if (!integers_from(o, axes)) return false;
  Dims seen(ndim, 0);
  for (auto& k : axes) {
    if (k < 0) k += static_cast<std::int64_t>(ndim);
    if (k < 0 || k >= static_cast<std::int64_t>(ndim) || seen[static_cast<std::size_t>(k)]++)
      return false;
  }
  return true;
}
inline bool flag_from(PyObject* o, bool& flag) {
  flag = o == Py_True;
  return !o || PyBool_Check(o);
}

inline PyObject* record(Op op, std::span<Argument> in, Attrs attrs = {}) {
  return new_variable(apply(op, in, attrs));
}
inline PyObject* record(Op op, Argument in, Attrs attrs = {}) {
  return record(op, {&in, 1}, attrs);
}
inline Value applied(Op op, Argument in, Attrs attrs = {}) { return apply(op, {&in, 1}, attrs); }

// Functions of several ops are composed of these.
inline Argument on(Op op, Argument x, Attrs attrs = {}) {
  return own(applied(op, std::move(x), attrs));
}
inline Argument on(Op op, Argument x, Argument y, Attrs attrs = {}) {
  Argument in[] = {std::move(x), std::move(y)};
  return own(apply(op, in, attrs));
}
inline PyObject* result(Argument x) { return new_variable(std::move(x.value)); }

inline bool is_complex(const Argument& x) { return x.value.array.dtype() == DType::c128; }
inline Dims shape_of(const Argument& x) { return x.value.array.shape(); }

// Elements [start, start + length) of one axis.
inline Argument sliced(const Argument& x, std::size_t axis, std::int64_t start,
                       std::int64_t length) {
  Dims attrs;
  const Dims shape = shape_of(x);
  for (std::size_t k = 0; k < shape.size(); ++k)
    for (std::int64_t v : {k == axis ? start : 0, std::int64_t{1}, k == axis ? length : shape[k]})
      attrs.push_back(v);
  return on(Op::slice, x, attrs);
}
inline Argument reshaped(Argument x, const Dims& shape) {
  return shape == x.value.array.shape() ? x : on(Op::reshape, std::move(x), shape);
}
inline Argument flat(Argument x) {
  const Dims row{x.value.array.size()};
  return reshaped(std::move(x), row);
}

}  // namespace tapegrad::ways

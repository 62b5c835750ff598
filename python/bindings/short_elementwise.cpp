// The short ways of elementwise functions: parse the plain form, decline any other, apply ops. What
// they compute and record is what the function of the same name in tapegrad.functions does.
#include "base/copy.hpp"
#include "short_arguments.hpp"
#include "short_ways.hpp"

namespace tapegrad::ways {

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
  const Array like = peek(as_variable(x));
  if (!is_differentiable(like.dtype())) return nullptr;
  const Array out = empty_in_order(like.dtype(), like);
  copy_into(Array::full(like.dtype(), {}, value), out);
  PyObject* filled = new_variable({kNoOperand, out, as_variable(x)->guessed && like.ndim() > 1});
  if (filled && like.ndim() == 0) as_variable(filled)->alias = new Alias;  // an array, no number
  return filled;
}
}  // namespace

PyObject* zeros_like(Given given) { return filled_like(given[0], 0.0); }
PyObject* ones_like(Given given) { return filled_like(given[0], 1.0); }
PyObject* full_like(Given given) {
  if (!given[1] || !PyFloat_CheckExact(given[1])) return nullptr;
  return filled_like(given[0], PyFloat_AS_DOUBLE(given[1]));
}

}  // namespace tapegrad::ways

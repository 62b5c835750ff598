// Number slots of Variable. Scalars take the fast path: no allocation, no call through NumPy.
#include <cmath>

#include "convert.hpp"
#include "ops/formula.hpp"
#include "variable.hpp"

namespace tapegrad {
namespace {

// A float64 scalar operand of the fast path: a Variable of this recording, or a Python number.
struct Scalar {
  double value;
  NodeId node;  // kNoOperand: constant
};

inline bool fast_scalar(PyObject* o, const Session* session, Scalar& s) {
  if (is_variable(o)) {
    const Variable* v = as_variable(o);
    if (v->array || v->alias) return false;
    if (v->node != kNoOperand && (!session || v->serial != session->serial)) return false;
    s = {v->scalar, v->node};
    return true;
  }
  if (PyFloat_CheckExact(o)) {
    s = {PyFloat_AS_DOUBLE(o), kNoOperand};
    return true;
  }
  if (PyLong_CheckExact(o)) {
    int overflow = 0;
    const long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (overflow || v > (1LL << 53) || v < -(1LL << 53)) return false;
    s = {static_cast<double>(v), kNoOperand};
    return true;
  }
  return false;
}

inline Operand operand_of(Session& session, const Scalar& s) {
  return s.node != kNoOperand ? s.node : session.tape.add_constant(s.value);
}

PyObject* inactive_scalar(double value) { return new_variable({kNoOperand, Array::scalar(value)}); }

inline PyObject* record_scalar(Op op, double value, const Scalar& x) {
  if (x.node == kNoOperand) return inactive_scalar(value);
  Session& session = *current_session;
  return new_scalar(session, session.tape.add_scalar(op, x.node, kNoOperand, value), value);
}
inline PyObject* record_scalar(Op op, double value, const Scalar& x, const Scalar& y) {
  if (x.node == kNoOperand && y.node == kNoOperand) return inactive_scalar(value);
  Session& session = *current_session;
  const Operand a = operand_of(session, x), b = operand_of(session, y);
  return new_scalar(session, session.tape.add_scalar(op, a, b, value), value);
}

PyObject* slow_binary(Op op, PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    Argument in[2];
    if (!argument_from(a, in[0]) || !argument_from(b, in[1])) Py_RETURN_NOTIMPLEMENTED;
    return new_variable(apply(op, in, {}));
  });
}
PyObject* slow_unary(Op op, PyObject* a) {
  return guarded([&]() -> PyObject* {
    Argument in[1];
    argument_from(a, in[0]);
    return new_variable(apply(op, in, {}));
  });
}

template <Op op>
PyObject* binary(PyObject* a, PyObject* b) {
  Scalar x, y;
  const Session* session = current_session;
  if (fast_scalar(a, session, x) && fast_scalar(b, session, y)) [[likely]]
    try {
      return record_scalar(op, math::value<op, double>(x.value, y.value), x, y);
    } catch (...) {
      set_python_error();
      return nullptr;
    }
  return slow_binary(op, a, b);
}

template <Op op>
PyObject* unary(PyObject* a) {
  Scalar x;
  if (fast_scalar(a, current_session, x)) [[likely]]
    return guarded([&] { return record_scalar(op, math::value<op, double>(x.value), x); });
  return slow_unary(op, a);
}

PyObject* absolute(PyObject* a) {
  return guarded([&]() -> PyObject* {
    if (value_of(as_variable(a)).array.dtype() != DType::c128) return unary<Op::absolute>(a);
    return call_python("tapegrad.functions.ufuncs", "complex_absolute",
                       py::make_tuple(py::reinterpret_borrow<py::object>(a)))
        .release()
        .ptr();
  });
}

PyObject* matrix_multiply(PyObject* a, PyObject* b) { return slow_binary(Op::matmul, a, b); }

PyObject* divide_with_remainder(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    auto q = py::reinterpret_steal<py::object>(binary<Op::floor_divide>(a, b));
    auto r = py::reinterpret_steal<py::object>(q ? binary<Op::remainder>(a, b) : nullptr);
    if (!q || !r) return nullptr;
    if (q.ptr() == Py_NotImplemented) return q.release().ptr();
    return py::make_tuple(q, r).release().ptr();
  });
}

// x ** 2 and its like become the cheaper op of the same value, as in NumPy.
PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) {
    PyErr_SetString(PyExc_TypeError, "pow() with a modulus is not defined for Variable");
    return nullptr;
  }
  if (is_variable(a) && (PyFloat_CheckExact(b) || PyLong_CheckExact(b))) {
    const double exponent = PyFloat_AsDouble(b);
    if (exponent == -1.0 && PyErr_Occurred()) return nullptr;
    if (exponent == 2.0) return unary<Op::square>(a);
    if (exponent == 0.5) return unary<Op::sqrt>(a);
    if (exponent == -1.0) return unary<Op::reciprocal>(a);
    if (exponent == 1.0) return unary<Op::positive>(a);
  }
  return binary<Op::power>(a, b);
}

// y += z: scalars rebind, as Python's numbers do; arrays are assigned, so that all views see it.
template <auto operation>
PyObject* in_place(PyObject* a, PyObject* b) {
  PyObject* result = operation(a, b);
  if (!result || !is_variable(a) || (!as_variable(a)->array && !as_variable(a)->alias))
    return result;
  auto holder = py::reinterpret_steal<py::object>(result);
  return guarded([&]() -> PyObject* {
    if (!is_variable(result)) return holder.release().ptr();
    Variable* v = as_variable(a);
    const Meta m = value_of(v).array.meta();
    if (m.shape.empty()) return holder.release().ptr();
    Value value = value_of(as_variable(result));
    if (!(value.array.shape() == m.shape))
      throw Error("non-broadcastable output operand with shape " + m.shape.str() +
                  " doesn't match the broadcast shape " + value.array.shape().str());
    if (value.array.dtype() != m.dtype) {
      if (value.array.dtype() == DType::c128)
        throw TypeFault("cannot assign a complex result in place to a real array: write y = y + z");
      const std::int64_t code[] = {static_cast<std::int64_t>(m.dtype)};
      Argument argument{std::move(value), false, true};
      value = apply(Op::cast, std::span(&argument, 1), code);
    }
    holder = py::object();
    assign(v, std::move(value));
    Py_INCREF(a);
    return a;
  });
}

PyObject* power_of(PyObject* a, PyObject* b) { return power(a, b, Py_None); }
PyObject* in_place_power(PyObject* a, PyObject* b, PyObject*) { return in_place<power_of>(a, b); }

int truth(PyObject* self) {
  try {
    const Array a = value_of(as_variable(self)).array;
    if (a.size() != 1)
      throw Error(
          "The truth value of an array with more than one element is ambiguous. Use "
          "np.any() or np.all()");
    return evaluate(Op::not_equal, {a, Array::zeros(a.dtype(), {})}).at<bool>();
  } catch (...) {
    set_python_error();
    return -1;
  }
}

double single_number(PyObject* self) {
  const Array a = value_of(as_variable(self)).array;
  if (a.size() != 1)
    throw TypeFault("only 0-dimensional arrays can be converted to Python scalars");
  if (a.dtype() == DType::c128) throw TypeFault("float() argument is complex: take its real part");
  return *evaluate(Op::cast, {a}, std::array<std::int64_t, 1>{0}).ptr<double>();
}

PyObject* to_float(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (as_variable(self)->node != kNoOperand) {
      check_recording(as_variable(self));
      call_python("tapegrad.errors", "detached_float", py::make_tuple());
    }
    return PyFloat_FromDouble(single_number(self));
  });
}
// int() is a question about the value, like bool(): the answer is a plain integer.
PyObject* to_int(PyObject* self) {
  return guarded([&] { return PyLong_FromDouble(single_number(self)); });
}

}  // namespace

PyNumberMethods variable_as_number = {
    .nb_add = binary<Op::add>,
    .nb_subtract = binary<Op::subtract>,
    .nb_multiply = binary<Op::multiply>,
    .nb_remainder = binary<Op::remainder>,
    .nb_divmod = divide_with_remainder,
    .nb_power = power,
    .nb_negative = unary<Op::negative>,
    .nb_positive = unary<Op::positive>,
    .nb_absolute = absolute,
    .nb_bool = truth,
    .nb_invert = nullptr,
    .nb_lshift = nullptr,
    .nb_rshift = nullptr,
    .nb_and = nullptr,
    .nb_xor = nullptr,
    .nb_or = nullptr,
    .nb_int = to_int,
    .nb_reserved = nullptr,
    .nb_float = to_float,
    .nb_inplace_add = in_place<binary<Op::add>>,
    .nb_inplace_subtract = in_place<binary<Op::subtract>>,
    .nb_inplace_multiply = in_place<binary<Op::multiply>>,
    .nb_inplace_remainder = in_place<binary<Op::remainder>>,
    .nb_inplace_power = in_place_power,
    .nb_inplace_lshift = nullptr,
    .nb_inplace_rshift = nullptr,
    .nb_inplace_and = nullptr,
    .nb_inplace_xor = nullptr,
    .nb_inplace_or = nullptr,
    .nb_floor_divide = binary<Op::floor_divide>,
    .nb_true_divide = binary<Op::divide>,
    .nb_inplace_floor_divide = in_place<binary<Op::floor_divide>>,
    .nb_inplace_true_divide = in_place<binary<Op::divide>>,
    .nb_index = nullptr,
    .nb_matrix_multiply = matrix_multiply,
    .nb_inplace_matrix_multiply = in_place<matrix_multiply>,
};

// Comparisons answer with plain values: the branch taken is the one that is differentiated.
PyObject* variable_richcompare(PyObject* a, PyObject* b, int op) {
  Scalar x, y;
  if (fast_scalar(a, current_session, x) && fast_scalar(b, current_session, y)) {
    Py_RETURN_RICHCOMPARE(x.value, y.value, op);
  }
  return guarded([&]() -> PyObject* {
    auto plain = [](PyObject* o) {
      if (!is_variable(o)) return py::reinterpret_borrow<py::object>(o);
      PyObject* n = array_to_numpy(value_of(as_variable(o)).array, false);
      if (!n) throw py::error_already_set();
      return py::reinterpret_steal<py::object>(n);
    };
    const py::object left = plain(a), right = plain(b);
    return PyObject_RichCompare(left.ptr(), right.ptr(), op);
  });
}

}  // namespace tapegrad

// Number slots of Variable. Scalars take the fast path: no allocation, no call through NumPy.
#include <cmath>

#include "convert.hpp"
#include "guards.hpp"
#include "ops/formula.hpp"
#include "ops/kernels.hpp"
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

inline PyObject* recorded_scalar(Session& session, NodeId node, double value) {
  if (session.program) [[unlikely]]
    session.settle_nodes();
  return new_scalar(session, node, value);
}
inline PyObject* record_scalar(Op op, double value, const Scalar& x) {
  if (x.node == kNoOperand) return inactive_scalar(value);
  Session& session = *current_session;
  return recorded_scalar(session, session.tape.add_scalar(op, x.node, kNoOperand, value), value);
}
inline PyObject* record_scalar(Op op, double value, const Scalar& x, const Scalar& y) {
  if (x.node == kNoOperand && y.node == kNoOperand) return inactive_scalar(value);
  Session& session = *current_session;
  const Operand a = operand_of(session, x), b = operand_of(session, y);
  return recorded_scalar(session, session.tape.add_scalar(op, a, b, value), value);
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

// Where NumPy's loop and the C library's function may differ in the last bit, or at zero, the loop
// is asked: a recorded number is what NumPy has.
template <Op op>
double number_by_loop(double x, double y) {
  const Kernel& k = kernel(op, DType::f64);
  double result;
  char* args[] = {reinterpret_cast<char*>(&x), reinterpret_cast<char*>(&y),
                  reinterpret_cast<char*>(&result)};
  constexpr std::intptr_t count = 1, strides[] = {sizeof(double), sizeof(double), sizeof(double)};
  k.value(args, &count, strides, k.data);
  return result;
}
template <Op op>
inline double number(double x, double y) {
  if constexpr (op == Op::power || op == Op::floor_divide || op == Op::remainder)
    return number_by_loop<op>(x, y);
  else return math::value<op, double>(x, y);
}

template <Op op>
PyObject* binary(PyObject* a, PyObject* b) {
  Scalar x, y;
  const Session* session = current_session;
  if (fast_scalar(a, session, x) && fast_scalar(b, session, y)) [[likely]]
    try {
      return record_scalar(op, number<op>(x.value, y.value), x, y);
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

// Sparse matrices are no arrays: their products are ops of their own.
PyObject* matrix_multiply(PyObject* a, PyObject* b) {
  PyObject* result = slow_binary(Op::matmul, a, b);
  if (result != Py_NotImplemented) return result;
  Py_DECREF(result);
  return guarded([&]() -> PyObject* {
    return call_python("tapegrad.functions.sparse", "product",
                       py::make_tuple(py::reinterpret_borrow<py::object>(a),
                                      py::reinterpret_borrow<py::object>(b)))
        .release()
        .ptr();
  });
}

PyObject* divide_with_remainder(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    auto q = py::reinterpret_steal<py::object>(binary<Op::floor_divide>(a, b));
    auto r = py::reinterpret_steal<py::object>(q ? binary<Op::remainder>(a, b) : nullptr);
    if (!q || !r) return nullptr;
    if (q.ptr() == Py_NotImplemented) return q.release().ptr();
    return py::make_tuple(q, r).release().ptr();
  });
}

// x ** 3 and x ** 4 of real numbers are products: one or two roundings from the power, which costs
// up to a hundred times as much where x is negative.
PyObject* short_product(PyObject* x, bool fourth) {
  const auto squared = py::reinterpret_steal<py::object>(unary<Op::square>(x));
  if (!squared) return nullptr;
  return fourth ? unary<Op::square>(squared.ptr()) : binary<Op::multiply>(squared.ptr(), x);
}
bool is_real(Variable* v) {
  if (!v->array && !v->alias) return true;
  const DType dtype = value_of(v).array.dtype();
  return dtype == DType::f64 || dtype == DType::f32;
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
    if ((exponent == 3.0 || exponent == 4.0) && is_real(as_variable(a)))
      return short_product(a, exponent == 4.0);
  }
  return binary<Op::power>(a, b);
}

// y += z: numbers rebind, as Python's do; arrays are assigned, so that all views see it.
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
    if (m.shape.empty() && !v->alias) return holder.release().ptr();
    Value value = value_of(as_variable(result));
    if (!(value.array.shape() == m.shape))
      throw Error("non-broadcastable output operand with shape " + m.shape.str() +
                  " doesn't match the broadcast shape " + value.array.shape().str());
    if (value.array.dtype() != m.dtype) {
      if (is_differentiable(value.array.dtype()) && !is_differentiable(m.dtype))
        throw TypeFault("cannot assign numbers in place to an array of integers or booleans");
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
    if (Session* session = recorded_in_program(as_variable(self)))
      return guarded_truth(*session, value_of(as_variable(self)));
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
    if (carries_derivative(as_variable(self))) {
      check_recording(as_variable(self));
      call_python("tapegrad.errors", "detached_float", py::make_tuple());
    }
    const double number = single_number(self);
    observe(as_variable(self));
    return PyFloat_FromDouble(number);
  });
}
// int() is a question about the value, like bool(): the answer is a plain integer.
PyObject* to_int(PyObject* self) {
  return guarded([&] {
    Variable* v = as_variable(self);
    const double number = single_number(self);
    if (Session* session = recorded_in_program(v)) guard_integer(*session, value_of(v), number);
    const Array a = value_of(v).array;
    if (a.dtype() == DType::i64) return PyLong_FromLongLong(*a.ptr<std::int64_t>());
    return PyLong_FromDouble(number);
  });
}
// Only integers without axes are indices.
PyObject* to_index(PyObject* self) {
  return guarded([&]() -> PyObject* {
    const Array a = value_of(as_variable(self)).array;
    if (a.dtype() != DType::i64 || a.ndim() > 0) {
      PyErr_SetString(PyExc_TypeError,
                      "'tapegrad.Variable' object cannot be interpreted as an integer");
      return nullptr;
    }
    return to_int(self);
  });
}

PyObject* bit_and(PyObject* a, PyObject* b) {
  return bitwise("bitwise_and", Op::logical_and, a, b);
}
PyObject* bit_or(PyObject* a, PyObject* b) { return bitwise("bitwise_or", Op::logical_or, a, b); }
PyObject* bit_xor(PyObject* a, PyObject* b) {
  return bitwise("bitwise_xor", Op::logical_xor, a, b);
}
PyObject* bit_not(PyObject* a) {
  PyObject* result = bitwise("invert", Op::logical_not, a, nullptr);
  if (result != Py_NotImplemented) return result;
  Py_DECREF(result);
  PyErr_SetString(PyExc_TypeError, "bad operand type for unary ~: 'tapegrad.Variable'");
  return nullptr;
}
PyObject* shift_left(PyObject* a, PyObject* b) { return bitwise("left_shift", {}, a, b); }
PyObject* shift_right(PyObject* a, PyObject* b) { return bitwise("right_shift", {}, a, b); }

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
    .nb_invert = bit_not,
    .nb_lshift = shift_left,
    .nb_rshift = shift_right,
    .nb_and = bit_and,
    .nb_xor = bit_xor,
    .nb_or = bit_or,
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
    .nb_inplace_and = in_place<bit_and>,
    .nb_inplace_xor = in_place<bit_xor>,
    .nb_inplace_or = in_place<bit_or>,
    .nb_floor_divide = binary<Op::floor_divide>,
    .nb_true_divide = binary<Op::divide>,
    .nb_inplace_floor_divide = in_place<binary<Op::floor_divide>>,
    .nb_inplace_true_divide = in_place<binary<Op::divide>>,
    .nb_index = to_index,
    .nb_matrix_multiply = matrix_multiply,
    .nb_inplace_matrix_multiply = in_place<matrix_multiply>,
};

namespace {

// In a program the answer is recorded. Null without an error where NumPy has to answer: it has an
// order of complex numbers, and knows other types.
PyObject* recorded_comparison(PyObject* a, PyObject* b, int how) {
  constexpr Op ops[] = {Op::less,    Op::less_equal,   Op::equal, Op::not_equal,
                        Op::greater, Op::greater_equal};  // in the order of Py_LT, Py_LE, ...
  const Op op = ops[how];
  Argument in[2];
  for (int i = 0; i < 2; ++i) {
    PyObject* o = i == 0 ? a : b;
    if (PyArray_Check(o) && PyArray_TYPE(reinterpret_cast<PyArrayObject*>(o)) == NPY_OBJECT)
      return nullptr;
    if (!argument_from(o, in[i])) return nullptr;
  }
  if (!in[0].value.active() && !in[1].value.active()) return nullptr;
  const DType both = promote(in[0].value.array.dtype(), in[1].value.array.dtype());
  if (!kernel(op, both).value) return nullptr;
  return new_variable(apply(op, in, {}));
}

bool is_no_number(PyObject* o) { return o == Py_None || PyUnicode_Check(o) || PyBytes_Check(o); }

}  // namespace

// Comparisons answer with plain values: the branch taken is the one that is differentiated.
PyObject* variable_richcompare(PyObject* a, PyObject* b, int op) {
  Scalar x, y;
  if (!program_session() && fast_scalar(a, current_session, x) &&
      fast_scalar(b, current_session, y)) {
    Py_RETURN_RICHCOMPARE(x.value, y.value, op);
  }
  return guarded([&]() -> PyObject* {
    const bool any_value = is_no_number(a) || is_no_number(b);  // gives the same answer
    if (program_session() && !any_value) {
      PyObject* answer = recorded_comparison(a, b, op);
      if (answer || PyErr_Occurred()) return answer;
    }
    auto plain = [any_value](PyObject* o) {
      if (!is_variable(o)) return py::reinterpret_borrow<py::object>(o);
      if (!any_value) observe(as_variable(o));
      PyObject* n = array_to_numpy(value_of(as_variable(o)).array, false);
      if (!n) throw py::error_already_set();
      return py::reinterpret_steal<py::object>(n);
    };
    const py::object left = plain(a), right = plain(b);
    return PyObject_RichCompare(left.ptr(), right.ptr(), op);
  });
}

}  // namespace tapegrad

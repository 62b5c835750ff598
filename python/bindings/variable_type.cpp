// The Variable type as CPython sees it: attributes, methods and slots.
#include <string_view>

#include "base/copy.hpp"
#include "convert.hpp"
#include "guards.hpp"
#include "variable.hpp"

namespace tapegrad {

PyTypeObject* variable_type = nullptr;

namespace {

PyObject* get_shape(PyObject* self, void*) {
  return guarded([&] { return dims_to_tuple(peek(as_variable(self)).shape()); });
}
PyObject* get_dtype(PyObject* self, void*) {
  Variable* v = as_variable(self);
  return dtype_to_numpy(v->array ? Array::borrow(v->array).dtype() : DType::f64);
}
PyObject* get_ndim(PyObject* self, void*) {
  return guarded([&] { return PyLong_FromLong(peek(as_variable(self)).ndim()); });
}
PyObject* get_size(PyObject* self, void*) {
  return guarded([&] { return PyLong_FromLongLong(peek(as_variable(self)).size()); });
}
PyObject* get_itemsize(PyObject* self, void*) {
  return guarded([&] { return PyLong_FromLongLong(itemsize(peek(as_variable(self)).dtype())); });
}
PyObject* get_nbytes(PyObject* self, void*) {
  return guarded([&] { return PyLong_FromLongLong(peek(as_variable(self)).nbytes()); });
}
PyObject* get_active(PyObject* self, void*) {
  return guarded([&] { return PyBool_FromLong(carries_derivative(as_variable(self))); });
}
PyObject* get_recorded(PyObject* self, void*) {
  return guarded([&] {
    peek(as_variable(self));  // a view may have become active through its parent
    return PyBool_FromLong(as_variable(self)->node != kNoOperand);
  });
}
PyObject* get_guessed(PyObject* self, void*) {
  return guarded([&] {
    peek(as_variable(self));  // a view of what has been assigned
    return PyBool_FromLong(as_variable(self)->guessed);
  });
}
PyObject* get_transposed(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    const int n = value_of(as_variable(self)).array.ndim();
    if (n < 2) {
      Py_INCREF(self);
      return self;
    }
    Dims reversed;
    for (int i = n; i-- > 0;) reversed.push_back(i);
    return new_view(self, Op::transpose, reversed);
  });
}
PyObject* part(PyObject* self, Op op) {
  return guarded([&] { return new_view(self, op, {}); });
}
PyObject* get_real(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    if (value_of(as_variable(self)).array.dtype() == DType::c128) return part(self, Op::real);
    Py_INCREF(self);
    return self;
  });
}
PyObject* get_imag(PyObject* self, void*) { return part(self, Op::imag); }

// z.real = v and z.imag = v.
int set_part(PyObject* self, PyObject* value, Op op) {
  const auto part = py::reinterpret_steal<py::object>(guarded([&]() -> PyObject* {
    const Meta meta = value_of(as_variable(self)).array.meta();
    if (!value) throw TypeFault("cannot delete a part of an array");
    if (meta.shape.empty()) throw TypeFault("a recorded number has no parts to assign");
    if (meta.dtype == DType::c128) return new_view(self, op, {});
    if (op == Op::imag) throw TypeFault("a real array has no imaginary part to assign");
    return Py_NewRef(self);
  }));
  return part ? variable_setitem(part.ptr(), Py_Ellipsis, value) : -1;
}
int set_real(PyObject* self, PyObject* value, void*) { return set_part(self, value, Op::real); }
int set_imag(PyObject* self, PyObject* value, void*) { return set_part(self, value, Op::imag); }

PyGetSetDef getset[] = {
    {"shape", get_shape, nullptr, "Shape, a tuple of integers.", nullptr},
    {"dtype", get_dtype, nullptr, "The numpy.dtype.", nullptr},
    {"ndim", get_ndim, nullptr, "Number of axes.", nullptr},
    {"size", get_size, nullptr, "Number of elements.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes of one element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"T", get_transposed, nullptr, "The transpose, a view.", nullptr},
    {"real", get_real, set_real, "Real part.", nullptr},
    {"imag", get_imag, set_imag, "Imaginary part.", nullptr},
    {"_guessed", get_guessed, nullptr, "True if NumPy may have another memory order.", nullptr},
    {"active", get_active, nullptr, "True if the value carries a derivative by an input.", nullptr},
    {"recorded", get_recorded, nullptr, "True if the value depends on an input of the recording.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

Cut cut_named(std::string_view name) {
  if (name == "ravel") return Cut::ravel;
  if (name == "through") return Cut::through;
  return name == "flat" ? Cut::flat : Cut::plain;
}

PyObject* guess_method(PyObject* self, PyObject*) {
  as_variable(self)->guessed = true;
  return Py_NewRef(self);
}

PyObject* view_method(PyObject* self, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char *name, *how = "";
    PyObject* attrs;
    if (!PyArg_ParseTuple(args, "sO|s", &name, &attrs, &how)) return nullptr;
    if (op_name(Op::gather) == name)
      return new_gathered_view(self, copy_in_order(array_from(attrs, "an index")));
    for (Op op : {Op::slice, Op::reshape, Op::transpose, Op::broadcast_to, Op::real, Op::imag})
      if (op_name(op) == name) return new_view(self, op, dims_from(attrs), cut_named(how));
    throw Error(std::string("no view op ") + name);
  });
}

PyObject* to_array(PyObject* self, PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    Variable* v = as_variable(self);
    if (carries_derivative(v))
      return call_python("tapegrad.errors", "detached_array",
                         py::make_tuple(py::reinterpret_borrow<py::object>(self)))
          .release()
          .ptr();
    observe(v);
    return array_to_numpy(value_of(v).array, false);
  });
}

PyMethodDef methods[] = {
    {"_view", view_method, METH_VARARGS,
     "A view of this Variable by an op and its attributes, of a gather by its positions; a third "
     "argument says how a reshape is cut: plain, ravel, through or flat."},
    {"_guess", guess_method, METH_NOARGS, "Notes that NumPy may have another memory order."},
    {"__array__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(to_array)),
     METH_VARARGS | METH_KEYWORDS, "Raises DetachedError for values that depend on an input."},
    {"__array_ufunc__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(array_ufunc)),
     METH_FASTCALL | METH_KEYWORDS, "NumPy's ufunc protocol."},
    {"__array_function__",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(array_function)),
     METH_FASTCALL | METH_KEYWORDS, "NumPy's function protocol."},
    {nullptr, nullptr, 0, nullptr}};

PyObject* repr(PyObject* self) {
  return guarded([&] {
    return call_python("tapegrad.functions.methods", "variable_repr",
                       py::make_tuple(py::reinterpret_borrow<py::object>(self)))
        .release()
        .ptr();
  });
}

Py_ssize_t length(PyObject* self) {
  try {
    const Array a = peek(as_variable(self));
    if (a.ndim() == 0) {
      PyErr_SetString(PyExc_TypeError, "len() of unsized object");
      return -1;
    }
    return a.shape()[0];
  } catch (...) {
    set_python_error();
    return -1;
  }
}

// No sequence slots: NumPy would take a recorded number for a sequence, and hide the DetachedError.
PyObject* iterate(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (peek(as_variable(self)).ndim() == 0) {
      PyErr_SetString(PyExc_TypeError, "iteration over a 0-d array");
      return nullptr;
    }
    return call_python("tapegrad.functions.methods", "iterate",
                       py::make_tuple(py::reinterpret_borrow<py::object>(self)))
        .release()
        .ptr();
  });
}

// Only what is a plain number outside of programs is a key of dicts: the answer to a question.
Py_hash_t hash(PyObject* self) {
  Variable* v = as_variable(self);
  try {
    const bool key = recorded_in_program(v) && !carries_derivative(v) && peek(v).ndim() == 0;
    if (!key) return PyObject_HashNotImplemented(self);
    observe(v);
    const auto plain = py::reinterpret_steal<py::object>(array_to_numpy(peek(v), false));
    return py::hash(plain.attr("item")());
  } catch (...) {
    set_python_error();
    return -1;
  }
}

int contains(PyObject* self, PyObject* item) {
  try {
    return call_python("tapegrad.functions.methods", "contains",
                       py::make_tuple(py::reinterpret_borrow<py::object>(self),
                                      py::reinterpret_borrow<py::object>(item)))
        .cast<bool>();
  } catch (...) {
    set_python_error();
    return -1;
  }
}

template <class F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace

void make_variable_type(py::module_& m) {
  const PyNumberMethods& n = variable_as_number;
  PyType_Slot slots[] = {
      {Py_tp_dealloc, slot(free_variable)},
      {Py_tp_repr, slot(repr)},
      {Py_tp_getset, getset},
      {Py_tp_methods, methods},
      {Py_tp_iter, slot(iterate)},
      {Py_tp_hash, slot(hash)},
      {Py_tp_richcompare, slot(variable_richcompare)},
      {Py_tp_doc,
       const_cast<char*>("A recorded value: behaves as the NumPy array or number it stands "
                         "for, and remembers how it was computed.")},
      {Py_mp_length, slot(length)},
      {Py_mp_subscript, slot(variable_getitem)},
      {Py_mp_ass_subscript, slot(variable_setitem)},
      {Py_sq_contains, slot(contains)},
      {Py_nb_add, slot(n.nb_add)},
      {Py_nb_subtract, slot(n.nb_subtract)},
      {Py_nb_multiply, slot(n.nb_multiply)},
      {Py_nb_true_divide, slot(n.nb_true_divide)},
      {Py_nb_floor_divide, slot(n.nb_floor_divide)},
      {Py_nb_remainder, slot(n.nb_remainder)},
      {Py_nb_divmod, slot(n.nb_divmod)},
      {Py_nb_power, slot(n.nb_power)},
      {Py_nb_matrix_multiply, slot(n.nb_matrix_multiply)},
      {Py_nb_and, slot(n.nb_and)},
      {Py_nb_or, slot(n.nb_or)},
      {Py_nb_xor, slot(n.nb_xor)},
      {Py_nb_invert, slot(n.nb_invert)},
      {Py_nb_lshift, slot(n.nb_lshift)},
      {Py_nb_rshift, slot(n.nb_rshift)},
      {Py_nb_index, slot(n.nb_index)},
      {Py_nb_negative, slot(n.nb_negative)},
      {Py_nb_positive, slot(n.nb_positive)},
      {Py_nb_absolute, slot(n.nb_absolute)},
      {Py_nb_bool, slot(n.nb_bool)},
      {Py_nb_float, slot(n.nb_float)},
      {Py_nb_int, slot(n.nb_int)},
      {Py_nb_inplace_add, slot(n.nb_inplace_add)},
      {Py_nb_inplace_subtract, slot(n.nb_inplace_subtract)},
      {Py_nb_inplace_multiply, slot(n.nb_inplace_multiply)},
      {Py_nb_inplace_true_divide, slot(n.nb_inplace_true_divide)},
      {Py_nb_inplace_floor_divide, slot(n.nb_inplace_floor_divide)},
      {Py_nb_inplace_remainder, slot(n.nb_inplace_remainder)},
      {Py_nb_inplace_power, slot(n.nb_inplace_power)},
      {Py_nb_inplace_matrix_multiply, slot(n.nb_inplace_matrix_multiply)},
      {Py_nb_inplace_and, slot(n.nb_inplace_and)},
      {Py_nb_inplace_or, slot(n.nb_inplace_or)},
      {Py_nb_inplace_xor, slot(n.nb_inplace_xor)},
      {0, nullptr}};
  PyType_Spec spec{"tapegrad.Variable", sizeof(Variable), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (!type) throw py::error_already_set();
  variable_type = reinterpret_cast<PyTypeObject*>(type);
  m.attr("Variable") = py::reinterpret_borrow<py::object>(type);
}

}  // namespace tapegrad

// The Variable type: making, reading, recording, assignment through views.
#include "variable.hpp"

#include <structmember.h>

#include "base/copy.hpp"
#include "convert.hpp"
#include "sweeps/recording.hpp"

namespace tapegrad {

PyTypeObject* variable_type = nullptr;

namespace {

// Dead Variables, ready for the next one: recording a scalar costs no allocation.
struct FreeList {
  static constexpr int kCapacity = 256;
  Variable* items[kCapacity];
  int count = 0;
};
thread_local FreeList free_list;

Variable* allocate() {
  Variable* v;
  if (free_list.count > 0) {
    v = free_list.items[--free_list.count];
    PyObject_Init(reinterpret_cast<PyObject*>(v), variable_type);
  } else {
    v = PyObject_New(Variable, variable_type);
    if (!v) throw py::error_already_set();
  }
  v->array = nullptr;
  v->alias = nullptr;
  return v;
}

void deallocate(PyObject* self) {
  Variable* v = as_variable(self);
  if (v->array) Array::adopt(v->array);
  if (v->alias) {
    Py_XDECREF(v->alias->parent);
    delete v->alias;
  }
  PyTypeObject* type = Py_TYPE(self);
  if (free_list.count < FreeList::kCapacity) free_list.items[free_list.count++] = v;
  else PyObject_Free(v);
  Py_DECREF(type);
}

void set_value(Variable* v, Value value) {
  if (v->array) Array::adopt(std::exchange(v->array, nullptr));
  v->node = value.operand;
  v->serial = current_session ? current_session->serial : 0;
  if (value.array.ndim() == 0 && value.array.dtype() == DType::f64)
    v->scalar = value.array.at<double>();
  else
    v->array = value.array.leak();
}

// Cuts a view anew when its parent, or the parent's parent, has been assigned.
void refresh(Variable* v) {
  if (!v->alias || !v->alias->parent) return;
  Variable* parent = as_variable(v->alias->parent);
  refresh(parent);
  if (parent->alias->version == v->alias->parent_version) return;
  Argument argument{value_of(parent), false, true};
  set_value(v, apply(v->alias->op, std::span(&argument, 1), v->alias->attrs));
  v->alias->parent_version = parent->alias->version;
  ++v->alias->version;
}

// The parent's new value when a view of it is given `part`: the cut, undone.
Value write_through(const Alias& alias, Value parent, Value part) {
  const Dims shape = parent.array.shape();
  Argument in[2] = {{std::move(parent), false, true}, {std::move(part), false, true}};
  switch (alias.op) {
    case Op::slice: return apply(Op::slice_set, in, alias.attrs);
    case Op::reshape: return apply(Op::reshape, std::span(in + 1, 1), shape);
    case Op::transpose: {
      Dims inverse(alias.attrs.size());
      for (std::size_t i = 0; i < inverse.size(); ++i)
        inverse[static_cast<std::size_t>(alias.attrs[i])] = static_cast<std::int64_t>(i);
      return apply(Op::transpose, std::span(in + 1, 1), inverse);
    }
    default: break;
  }
  throw Error("assignment destination is read-only: a view made by " +
              std::string(op_name(alias.op)) + " cannot be written; write to a copy");
}

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
  return guarded([&] {
    return PyLong_FromLongLong(itemsize(peek(as_variable(self)).dtype()));
  });
}
PyObject* get_nbytes(PyObject* self, void*) {
  return guarded([&] { return PyLong_FromLongLong(peek(as_variable(self)).nbytes()); });
}
PyObject* get_active(PyObject* self, void*) {
  return PyBool_FromLong(as_variable(self)->node != kNoOperand);
}
PyObject* get_transposed(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    const int n = value_of(as_variable(self)).array.ndim();
    if (n < 2) {
      Py_INCREF(self);
      return self;
    }
    Dims reversed(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) reversed[static_cast<std::size_t>(i)] = n - 1 - i;
    return new_view(self, Op::transpose, reversed);
  });
}
PyObject* part(PyObject* self, Op op) {
  return guarded([&] {
    Argument argument{value_of(as_variable(self)), false, true};
    return new_variable(apply(op, std::span(&argument, 1), {}));
  });
}
PyObject* get_real(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    if (value_of(as_variable(self)).array.dtype() == DType::c128) return part(self, Op::real);
    Py_INCREF(self);
    return self;
  });
}
PyObject* get_imag(PyObject* self, void*) { return part(self, Op::imag); }

PyGetSetDef getset[] = {
    {"shape", get_shape, nullptr, "Shape, a tuple of integers.", nullptr},
    {"dtype", get_dtype, nullptr, "The numpy.dtype.", nullptr},
    {"ndim", get_ndim, nullptr, "Number of axes.", nullptr},
    {"size", get_size, nullptr, "Number of elements.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes of one element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"T", get_transposed, nullptr, "The transpose, a view.", nullptr},
    {"real", get_real, nullptr, "Real part.", nullptr},
    {"imag", get_imag, nullptr, "Imaginary part.", nullptr},
    {"active", get_active, nullptr, "True if the value depends on an input of the recording.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyObject* view_method(PyObject* self, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char* name;
    PyObject* attrs;
    if (!PyArg_ParseTuple(args, "sO", &name, &attrs)) return nullptr;
    for (Op op : {Op::slice, Op::reshape, Op::transpose, Op::broadcast_to, Op::real, Op::imag})
      if (op_name(op) == name) return new_view(self, op, dims_from(attrs));
    throw Error(std::string("no view op ") + name);
  });
}

PyObject* to_array(PyObject* self, PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    Variable* v = as_variable(self);
    if (v->node != kNoOperand) call_python("tapegrad.errors", "detached_array", py::make_tuple());
    return array_to_numpy(value_of(v).array, false);
  });
}

PyMethodDef methods[] = {
    {"_view", view_method, METH_VARARGS, "A view of this Variable by an op and its attributes."},
    {"__array__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(to_array)),
     METH_VARARGS | METH_KEYWORDS, "Raises DetachedError for values that depend on an input."},
    {"__array_ufunc__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(array_ufunc)),
     METH_FASTCALL | METH_KEYWORDS, "NumPy's ufunc protocol."},
    {"__array_function__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(array_function)),
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

PyObject* sequence_item(PyObject* self, Py_ssize_t i) {
  return guarded([&]() -> PyObject* {
    auto key = py::int_(i);
    return variable_getitem(self, key.ptr());
  });
}

PyObject* iterate(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (value_of(as_variable(self)).array.ndim() == 0) {
      PyErr_SetString(PyExc_TypeError, "iteration over a 0-d array");
      return nullptr;
    }
    return PySeqIter_New(self);
  });
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
      {Py_tp_dealloc, slot(deallocate)},
      {Py_tp_repr, slot(repr)},
      {Py_tp_getset, getset},
      {Py_tp_methods, methods},
      {Py_tp_iter, slot(iterate)},
      {Py_tp_hash, slot(PyObject_HashNotImplemented)},
      {Py_tp_richcompare, slot(variable_richcompare)},
      {Py_tp_doc, const_cast<char*>("A recorded value: behaves as the NumPy array or number it stands "
                                    "for, and remembers how it was computed.")},
      {Py_mp_length, slot(length)},
      {Py_mp_subscript, slot(variable_getitem)},
      {Py_mp_ass_subscript, slot(variable_setitem)},
      {Py_sq_item, slot(sequence_item)},
      {Py_sq_length, slot(length)},
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
      {0, nullptr}};
  PyType_Spec spec{"tapegrad.Variable", sizeof(Variable), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (!type) throw py::error_already_set();
  variable_type = reinterpret_cast<PyTypeObject*>(type);
  m.attr("Variable") = py::reinterpret_borrow<py::object>(type);
}

PyObject* new_scalar(const Session& session, NodeId node, double value) {
  Variable* v = allocate();
  v->serial = session.serial;
  v->scalar = value;
  v->node = node;
  return reinterpret_cast<PyObject*>(v);
}

PyObject* new_variable(Value value) {
  Variable* v = allocate();
  set_value(v, std::move(value));
  return reinterpret_cast<PyObject*>(v);
}

PyObject* new_view(PyObject* parent, Op op, const Dims& attrs) {
  Variable* p = as_variable(parent);
  Argument argument{value_of(p), false, true};
  const Array whole = argument.value.array;
  Value cut = apply(op, std::span(&argument, 1), attrs);
  // A reshape that had to copy is no view, and neither is a part of a scalar.
  const bool shares = cut.array.size() > 0 && cut.array.ndim() > 0 &&
                      cut.array.data() >= whole.data() && !cut.array.exclusive();
  PyObject* result = new_variable(std::move(cut));
  if (!shares) return result;
  if (!p->alias) p->alias = new Alias;
  Py_INCREF(parent);
  as_variable(result)->alias = new Alias{0, parent, p->alias->version, op, attrs};
  return result;
}

void check_recording(const Variable* v) {
  if (v->node == kNoOperand || (current_session && v->serial == current_session->serial)) return;
  call_python("tapegrad.errors", "recording", py::make_tuple(current_session != nullptr));
}

Value value_of(Variable* v) {
  check_recording(v);
  refresh(v);
  return {v->node, v->array ? Array::borrow(v->array) : Array::scalar(v->scalar)};
}

Array peek(Variable* v) {
  if (current_session && v->serial == current_session->serial) refresh(v);
  return v->array ? Array::borrow(v->array) : Array::scalar(v->scalar);
}

bool argument_from(PyObject* o, Argument& argument) {
  if (is_variable(o)) {
    argument.value = value_of(as_variable(o));
    argument.variable = true;
    return true;
  }
  if (number_from(o, argument.value.array, argument.weak)) return true;
  argument.weak = false;
  if (!PyArray_Check(o) && !PyList_Check(o) && !PyTuple_Check(o) &&
      !PyObject_HasAttrString(o, "__array__"))
    return false;
  argument.value.array = array_from(o, "an operand");
  return true;
}

namespace {

// Python's own numbers take the dtype of what they meet (NumPy's rule).
void settle_weak(std::span<Argument> in, std::size_t first) {
  DType strong = DType::b8;
  bool any_strong = false;
  for (std::size_t i = first; i < in.size(); ++i)
    if (!in[i].weak) {
      strong = promote(strong, in[i].value.array.dtype());
      any_strong = true;
    }
  if (!any_strong) return;
  for (std::size_t i = first; i < in.size(); ++i) {
    Array& a = in[i].value.array;
    if (!in[i].weak || a.dtype() == DType::c128 || !is_differentiable(strong)) continue;
    const double v = a.dtype() == DType::b8 ? a.at<bool>() : a.at<double>();
    a = Array::full(strong, {}, v);
  }
}

// Arrays the tape will keep: small ones are copied, large ones watched, so that a later write to
// them cannot make a derivative wrong in silence.
Array kept_constant(const Array& a) {
  constexpr std::int64_t kSmall = 16384;  // bytes
  if (a.nbytes() <= kSmall) return copy_in_order(a);
  current_session->captured.push_back({a, fingerprint(a)});
  return a;
}

}  // namespace

Value apply(Op op, std::span<Argument> in, Attrs attrs) {
  bool active = false;
  for (auto& a : in) active = active || a.value.active();
  settle_weak(in, op == Op::where ? 1 : 0);
  std::array<Array, 4> few, few_kept;
  std::vector<Array> many, many_kept;
  std::span<Array> arrays(few.data(), std::min(in.size(), few.size()));
  std::span<Array> kept(few_kept.data(), arrays.size());
  if (in.size() > few.size()) {
    many.resize(in.size());
    many_kept.resize(in.size());
    arrays = many;
    kept = many_kept;
  }
  const bool updates = kind_of(op) == OpKind::structured && rules_of(op).update;
  for (std::size_t i = 0; i < in.size(); ++i) {
    Array& a = in[i].value.array;
    if (active && !in[i].variable && a.ndim() > 0) a = kept_constant(a);
    if (active && !(updates && i == 0)) kept[i] = a;
    arrays[i] = std::move(a);
  }
  const Meta base = updates ? arrays[0].meta() : Meta{};
  Array out = evaluate(op, arrays, attrs);
  if (!active || !is_differentiable(out.dtype())) return {kNoOperand, std::move(out)};
  Tape& tape = current_session->tape;
  std::array<Operand, 4> few_ids;
  std::vector<Operand> many_ids(in.size() > 4 ? in.size() : 0);
  std::span<Operand> ids = in.size() > 4 ? std::span<Operand>(many_ids)
                                         : std::span<Operand>(few_ids.data(), in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].value.active()) ids[i] = in[i].value.operand;
    else if (kept[i]) ids[i] = constant_operand(tape, op, kept[i]);
    else ids[i] = tape.add_leaf(Op::constant, base);
  }
  const Operand id = tape.add(op, ids, kept, attrs, out);
  return {id, std::move(out)};
}

void assign(Variable* v, Value value) {
  if (v->alias && v->alias->parent) {
    Variable* parent = as_variable(v->alias->parent);
    if (v->array) Array::adopt(std::exchange(v->array, nullptr));  // no second handle on the parent's memory
    v->array = Array(value.array).leak();
    Value whole = value_of(parent);
    if (parent->array) Array::adopt(std::exchange(parent->array, nullptr));
    assign(parent, write_through(*v->alias, std::move(whole), value));
    v->alias->parent_version = parent->alias->version;
  }
  set_value(v, std::move(value));
  if (v->alias) ++v->alias->version;
}

void set_python_error() {
  try {
    throw;
  } catch (py::error_already_set& e) {
    e.restore();
  } catch (const py::builtin_exception& e) {
    e.set_error();
  } catch (const Unsupported& e) {
    try {
      call_python("tapegrad.errors", "unsupported", py::make_tuple(e.what()));
    } catch (py::error_already_set& raised) {
      raised.restore();
    }
  } catch (const SingularMatrix& e) {
    try {
      PyErr_SetString(py::module_::import("numpy.linalg").attr("LinAlgError").ptr(), e.what());
    } catch (py::error_already_set& raised) {
      raised.restore();
    }
  } catch (const TypeFault& e) {
    PyErr_SetString(PyExc_TypeError, e.what());
  } catch (const Error& e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
}

py::object call_python(const char* module, const char* function, const py::tuple& args) {
  return py::module_::import(module).attr(function)(*args);
}

}  // namespace tapegrad

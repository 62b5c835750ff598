// Between NumPy arrays and Array.
#include "convert.hpp"

#include "session.hpp"

namespace tapegrad {

int typenum_of(DType t) {
  constexpr int types[] = {NPY_DOUBLE, NPY_FLOAT, NPY_CDOUBLE, NPY_BOOL, NPY_INT64};
  return types[static_cast<int>(t)];
}

namespace {

// The dtype an array of NumPy's type `typenum` is taken as; false if there is none.
bool supported(int typenum, DType& t) {
  switch (typenum) {
    case NPY_DOUBLE: t = DType::f64; return true;
    case NPY_FLOAT:
    case NPY_HALF: t = DType::f32; return true;
    case NPY_CDOUBLE:
    case NPY_CFLOAT: t = DType::c128; return true;
    case NPY_BOOL: t = DType::b8; return true;
    default: break;
  }
  if (PyTypeNum_ISINTEGER(typenum)) {
    t = DType::i64;
    return true;
  }
  if (typenum == NPY_LONGDOUBLE && sizeof(npy_longdouble) == sizeof(double)) {
    t = DType::f64;
    return true;
  }
  return false;
}

[[noreturn]] void unsupported_dtype(PyArrayObject* a, const char* what) {
  const auto dtype = py::str(py::handle(reinterpret_cast<PyObject*>(PyArray_DESCR(a))));
  throw TypeFault(std::string(what) + " has dtype " + std::string(dtype) +
                  "; tapegrad works with float64, float32, complex128 (and takes bool, integers, "
                  "float16 and complex64): convert with astype");
}

void release_object(void* owner) {
  if (!Py_IsInitialized()) return;  // at exit: a recording that nobody closed
  py::gil_scoped_acquire gil;
  Py_DECREF(static_cast<PyObject*>(owner));
}

Array array_of_ndarray(PyObject* object, const char* what) {
  py::object holder;
  auto* a = reinterpret_cast<PyArrayObject*>(object);
  DType dtype;
  if (!supported(PyArray_TYPE(a), dtype)) unsupported_dtype(a, what);
  if (PyArray_TYPE(a) != typenum_of(dtype) || !PyArray_ISBEHAVED_RO(a)) {
    PyObject* converted =
        PyArray_FromArray(a, PyArray_DescrFromType(typenum_of(dtype)),
                          NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_FORCECAST);
    if (!converted) throw py::error_already_set();
    holder = py::reinterpret_steal<py::object>(converted);
    a = reinterpret_cast<PyArrayObject*>(converted);
  }
  const auto n = static_cast<std::size_t>(PyArray_NDIM(a));
  Dims shape(n), strides(n);
  std::copy_n(PyArray_DIMS(a), n, shape.data());
  std::copy_n(PyArray_STRIDES(a), n, strides.data());
  auto* owner = reinterpret_cast<PyObject*>(a);
  Py_INCREF(owner);
  return Array::foreign(dtype, shape, strides, PyArray_DATA(a), owner, release_object);
}

// int64 where that is exact.
Array number_of_int(PyObject* o) {
  int overflow = 0;
  const long long exact = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (!overflow) return Array::scalar(std::int64_t{exact});
  const double v = PyLong_AsDouble(o);
  if (v == -1.0 && PyErr_Occurred()) throw py::error_already_set();
  return Array::scalar(v);
}

}  // namespace

Array array_from(PyObject* object, const char* what) {
  py::object holder;
  if (!PyArray_Check(object)) {
    holder = py::reinterpret_steal<py::object>(PyArray_FromAny(object, nullptr, 0, 0, 0, nullptr));
    if (!holder) throw py::error_already_set();
    object = holder.ptr();
  } else if (Session* session = program_session(); session && session->watching) {
    session->watched.watch(object);
  }
  return array_of_ndarray(object, what);
}

bool number_from(PyObject* o, Array& value, bool& weak) {
  weak = true;
  if (PyFloat_CheckExact(o)) {
    value = Array::scalar(PyFloat_AS_DOUBLE(o));
  } else if (PyBool_Check(o)) {
    value = Array::scalar(o == Py_True);
  } else if (PyLong_CheckExact(o)) {
    value = number_of_int(o);
  } else if (PyComplex_CheckExact(o)) {
    value = Array::scalar(Complex(PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o)));
  } else if (PyArray_IsScalar(o, Generic)) {
    weak = false;
    auto array = py::reinterpret_steal<py::object>(PyArray_FromScalar(o, nullptr));
    if (!array) throw py::error_already_set();
    value = array_of_ndarray(array.ptr(), "a number");
  } else if (PyFloat_Check(o) || PyLong_Check(o)) {
    const double v = PyFloat_AsDouble(o);
    if (v == -1.0 && PyErr_Occurred()) throw py::error_already_set();
    value = Array::scalar(v);
  } else {
    return false;
  }
  return true;
}

PyObject* array_to_numpy(Array array, bool writeable) {
  writeable = writeable && array.exclusive();
  const int nd = array.ndim();
  npy_intp shape[64], strides[64];
  if (nd > 64) {
    PyErr_SetString(PyExc_ValueError, "NumPy arrays have at most 64 dimensions");
    return nullptr;
  }
  std::copy_n(array.shape().data(), nd, shape);
  std::copy_n(array.strides().data(), nd, strides);
  PyObject* result = PyArray_New(&PyArray_Type, nd, shape, typenum_of(array.dtype()), strides,
                                 array.data(), 0, writeable ? NPY_ARRAY_WRITEABLE : 0, nullptr);
  if (!result) return nullptr;
  void* handle = array.leak();
  PyObject* capsule = PyCapsule_New(handle, "tapegrad.array", [](PyObject* c) {
    Array::adopt(PyCapsule_GetPointer(c, "tapegrad.array"));
  });
  auto* out = reinterpret_cast<PyArrayObject*>(result);
  if (!capsule || PyArray_SetBaseObject(out, capsule) < 0) {
    if (!capsule) Array::adopt(handle);
    Py_DECREF(result);
    return nullptr;
  }
  PyArray_UpdateFlags(out, NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS | NPY_ARRAY_ALIGNED);
  return result;
}

PyObject* value_to_python(const Array& a) {
  if (a.ndim() == 0 && a.dtype() == DType::f64) return PyFloat_FromDouble(a.at<double>());
  if (a.ndim() == 0 && a.dtype() == DType::c128) {
    const Complex z = a.at<Complex>();
    return PyComplex_FromDoubles(z.real(), z.imag());
  }
  return array_to_numpy(a, false);
}

PyObject* dims_to_tuple(const Dims& dims) {
  PyObject* t = PyTuple_New(static_cast<Py_ssize_t>(dims.size()));
  if (!t) return nullptr;
  for (std::size_t i = 0; i < dims.size(); ++i)
    PyTuple_SET_ITEM(t, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(dims[i]));
  return t;
}

PyObject* dtype_to_numpy(DType dtype) {
  return reinterpret_cast<PyObject*>(PyArray_DescrFromType(typenum_of(dtype)));
}

Dims dims_from(PyObject* sequence) {
  auto fast =
      py::reinterpret_steal<py::object>(PySequence_Fast(sequence, "a sequence of integers"));
  if (!fast) throw py::error_already_set();
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(fast.ptr());
  Dims dims(static_cast<std::size_t>(n));
  for (Py_ssize_t i = 0; i < n; ++i) {
    dims[static_cast<std::size_t>(i)] =
        PyNumber_AsSsize_t(PySequence_Fast_GET_ITEM(fast.ptr(), i), PyExc_OverflowError);
    if (PyErr_Occurred()) throw py::error_already_set();
  }
  return dims;
}

}  // namespace tapegrad

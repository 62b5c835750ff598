// Plain values for the Variables in a call's arguments.
#include "questions.hpp"

#include "convert.hpp"

namespace tapegrad {

Question question_of(PyObject* implementation) {
  static PyObject* const name = PyUnicode_InternFromString("asks");
  PyObject* asks = PyObject_GetAttr(implementation, name);
  if (!asks) {
    PyErr_Clear();
    return Question::none;
  }
  const auto holder = py::reinterpret_steal<py::object>(asks);
  return PyUnicode_CompareWithASCIIString(asks, "values") == 0 ? Question::values : Question::metas;
}

namespace {

// A sequence that may hold Variables, other than an exact tuple or list.
bool is_other_sequence(PyObject* o) {
  return PySequence_Check(o) && !PyArray_Check(o) && !PyUnicode_Check(o) && !PyBytes_Check(o) &&
         !PyArray_IsScalar(o, Generic);
}

// The tree of tuples and lists with plain values for Variables; null if it has other sequences.
PyObject* plain_tree(PyObject* o, Question question) {
  if (is_variable(o)) {
    Variable* v = as_variable(o);
    return value_to_python(question == Question::metas ? peek(v) : value_of(v).array);
  }
  const bool tuple = PyTuple_CheckExact(o);
  if (!tuple && !PyList_CheckExact(o)) return is_other_sequence(o) ? nullptr : Py_NewRef(o);
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  auto parts = py::reinterpret_steal<py::object>(tuple ? PyTuple_New(n) : PyList_New(n));
  if (!parts) throw py::error_already_set();
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* part = plain_tree(PySequence_Fast_GET_ITEM(o, i), question);
    if (!part) return nullptr;
    if (tuple) PyTuple_SET_ITEM(parts.ptr(), i, part);
    else PyList_SET_ITEM(parts.ptr(), i, part);
  }
  return parts.release().ptr();
}

}  // namespace

PyObject* answer(PyObject* function, Question question, PyObject* args, PyObject* keywords) {
  const auto plain = py::reinterpret_steal<py::object>(plain_tree(args, question));
  if (!plain) return nullptr;
  if (!keywords || PyDict_GET_SIZE(keywords) == 0)
    return PyObject_Call(function, plain.ptr(), nullptr);
  py::dict options;
  Py_ssize_t position = 0;
  for (PyObject *name, *value; PyDict_Next(keywords, &position, &name, &value);) {
    const auto part = py::reinterpret_steal<py::object>(plain_tree(value, question));
    if (!part) return nullptr;
    if (PyDict_SetItem(options.ptr(), name, part.ptr()) < 0) throw py::error_already_set();
  }
  return PyObject_Call(function, plain.ptr(), options.ptr());
}

}  // namespace tapegrad

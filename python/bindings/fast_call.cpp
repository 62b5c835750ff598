// `_core.FastCall`: the call of a program from Python without detours. It knows programs for plain
// positional arguments (float64 arrays and floats); whatever it does not know goes to a Python
// callable, which finds or makes the program and may enter it here.
#include "program_type.hpp"
#include "variable.hpp"
// After Python's own header.
#include <structmember.h>

namespace tapegrad {
namespace {

// How the outputs of the program become the result.
enum class Form : int { value, gradient, value_and_gradient };

struct Entry {
  std::shared_ptr<const Executable> program;
  std::shared_ptr<const Surroundings> captured;  // null: of a program from a file
  Form form;
};

struct FastCall {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* fallback;  // null in subclasses: their method `_call`
  std::vector<Entry>* entries;
  std::uint64_t hits;
};

constexpr std::size_t kMostArguments = 8;

struct Call {
  const void* inputs[kMostArguments];
  double numbers[kMostArguments];  // the floats among them
};

bool plain_array(PyObject* o, const Meta& m) {
  if (!PyArray_CheckExact(o) || m.dtype != DType::f64) return false;
  auto* a = reinterpret_cast<PyArrayObject*>(o);
  if (PyArray_TYPE(a) != NPY_DOUBLE || PyArray_NDIM(a) != m.shape.ndim()) return false;
  for (int i = 0; i < m.shape.ndim(); ++i)
    if (PyArray_DIM(a, i) != m.shape[static_cast<std::size_t>(i)]) return false;
  return PyArray_ISCARRAY_RO(a);
}

bool match(const Plan& plan, PyObject* const* args, std::size_t n, Call& call) {
  if (plan.inputs.size() != n) return false;
  for (std::size_t i = 0; i < n; ++i) {
    if (PyFloat_CheckExact(args[i])) {
      if (!plan.inputs[i].shape.empty() || plan.inputs[i].dtype != DType::f64) return false;
      call.numbers[i] = PyFloat_AS_DOUBLE(args[i]);
      call.inputs[i] = &call.numbers[i];
    } else if (!plan.inputs[i].shape.empty() && plain_array(args[i], plan.inputs[i])) {
      call.inputs[i] = PyArray_DATA(reinterpret_cast<PyArrayObject*>(args[i]));
    } else {
      return false;
    }
  }
  return true;
}

// One output of the call: memory for it, and the object it becomes.
struct Output {
  double number = 0;
  PyObject* array = nullptr;  // owned
  ~Output() { Py_XDECREF(array); }

  void* prepare(const Meta& m, PyObject* given) {
    if (given) {
      array = Py_NewRef(given);
    } else if (m.shape.empty()) {
      return &number;
    } else {
      npy_intp dims[64];
      std::copy(m.shape.begin(), m.shape.end(), dims);
      array = PyArray_SimpleNew(m.shape.ndim(), dims, NPY_DOUBLE);
      if (!array) throw py::error_already_set();
    }
    return PyArray_DATA(reinterpret_cast<PyArrayObject*>(array));
  }
  PyObject* take() { return array ? std::exchange(array, nullptr) : PyFloat_FromDouble(number); }
};

// The result, or null without an error if the entry does not fit or a guard does not hold.
PyObject* attempt(const Entry& e, PyObject* const* args, std::size_t n, PyObject* out) {
  Call call;
  const Plan& plan = e.program->plan();
  if (!match(plan, args, n, call)) return nullptr;
  const bool has_gradient = e.form != Form::value;
  const Meta& last = plan.output_metas.back();
  if (out && !(has_gradient && plain_array(out, last) &&
               PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(out))))
    return nullptr;
  if (e.captured && e.captured->changed()) return nullptr;
  Output value, gradient;
  void* outputs[2];
  outputs[0] = value.prepare(plan.output_metas[0], nullptr);
  if (has_gradient) outputs[1] = gradient.prepare(last, out);
  std::int64_t failed;
  try {
    if (e.program->is_long()) {
      py::gil_scoped_release release;
      failed = e.program->run(call.inputs, outputs, default_threads());
    } else {
      failed = e.program->run(call.inputs, outputs);
    }
  } catch (const Error&) {
    return nullptr;  // a singular matrix, say: the function itself is asked what it makes of it
  }
  if (failed != Executable::kAllHold) return nullptr;
  if (e.form == Form::value) return value.take();
  if (e.form == Form::gradient) return gradient.take();
  PyObject* both = PyTuple_New(2);
  if (!both) throw py::error_already_set();
  PyTuple_SET_ITEM(both, 0, value.take());
  PyTuple_SET_ITEM(both, 1, gradient.take());
  return both;
}

PyObject* fast_call(PyObject* self, PyObject* const* args, std::size_t nargsf, PyObject* names) {
  auto* f = reinterpret_cast<FastCall*>(self);
  const auto n = static_cast<std::size_t>(PyVectorcall_NARGS(nargsf));
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  const bool with_out =
      named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "out") == 0;
  if (n <= kMostArguments && (named == 0 || with_out) && !current_session) {
    PyObject* out = with_out && args[n] != Py_None ? args[n] : nullptr;
    try {
      for (const Entry& e : *f->entries)
        if (PyObject* found = attempt(e, args, n, out)) {
          ++f->hits;
          return found;
        }
    } catch (...) {
      set_python_error();
      return nullptr;
    }
  }
  if (f->fallback) return PyObject_Vectorcall(f->fallback, args, nargsf, names);
  PyObject* method = PyObject_GetAttrString(self, "_call");
  if (!method) return nullptr;
  PyObject* found =
      PyObject_Vectorcall(method, args, nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET, names);
  Py_DECREF(method);
  return found;
}

PyObject* make(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject* fallback = nullptr;
  if (PyObject_HasAttrString(reinterpret_cast<PyObject*>(type), "_call")) fallback = nullptr;
  else if (!PyArg_ParseTuple(args, "O", &fallback)) return nullptr;
  auto* f = reinterpret_cast<FastCall*>(type->tp_alloc(type, 0));
  if (!f) return nullptr;
  f->vectorcall = fast_call;
  f->fallback = Py_XNewRef(fallback);
  f->entries = new std::vector<Entry>;
  f->hits = 0;
  return reinterpret_cast<PyObject*>(f);
}

void destroy(PyObject* self) {
  auto* f = reinterpret_cast<FastCall*>(self);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(f->fallback);
  delete f->entries;
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<FastCall*>(self)->fallback);
  Py_VISIT(Py_TYPE(self));
  return 0;
}
int clear_references(PyObject* self) {
  Py_CLEAR(reinterpret_cast<FastCall*>(self)->fallback);
  return 0;
}

// enter(program, captured or None, form): tried first from now on.
PyObject* enter(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    if (n != 3) throw TypeFault("enter(program, captured, form)");
    Entry e;
    e.program = py::cast<std::shared_ptr<const Executable>>(py::handle(args[0]));
    if (args[1] != Py_None)
      e.captured = py::cast<std::shared_ptr<const Surroundings>>(py::handle(args[1]));
    e.form = static_cast<Form>(py::cast<int>(py::handle(args[2])));
    auto& entries = *reinterpret_cast<FastCall*>(self)->entries;
    constexpr std::size_t kMost = 4;
    std::erase_if(entries, [&](const Entry& old) { return old.program == e.program; });
    entries.insert(entries.begin(), std::move(e));
    if (entries.size() > kMost) entries.pop_back();
    Py_RETURN_NONE;
  });
}
PyObject* forget(PyObject* self, PyObject*) {
  reinterpret_cast<FastCall*>(self)->entries->clear();
  Py_RETURN_NONE;
}
PyObject* hits(PyObject* self, void*) {
  return PyLong_FromUnsignedLongLong(reinterpret_cast<FastCall*>(self)->hits);
}

PyMethodDef methods[] = {
    {"enter", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(enter)), METH_FASTCALL,
     "enter($self, program, captured, form, /)\n--\n\nTry this program first from now on."},
    {"forget", forget, METH_NOARGS, "forget($self, /)\n--\n\nDrop all programs."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef properties[] = {
    {"hits", hits, nullptr, "How many calls needed no Python.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(FastCall, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyType_Slot slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear_references)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_members, members},
    {Py_tp_doc, const_cast<char*>("A call of programs without detours, and a fallback.")},
    {0, nullptr},
};
PyType_Spec spec = {
    "tapegrad._core.FastCall", sizeof(FastCall), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    slots};

}  // namespace

void make_fast_call(py::module_& m) {
  const auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&spec));
  if (!type) throw py::error_already_set();
  m.attr("FastCall") = type;
}

}  // namespace tapegrad

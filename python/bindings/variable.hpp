// tg.Variable: the recorded value, a plain CPython type. A Variable is a handle: assignment moves
// it to the node of the new value, a view knows its parent and refreshes itself.
#pragma once

#include <optional>

#include "base/array.hpp"
#include "numpy_api.hpp"
#include "session.hpp"

namespace tapegrad {

// What makes assignment reach every name of the same memory, as in NumPy. Roots get one when their
// first view is cut; `version` counts assignments.
struct Alias {
  std::uint32_t version = 0;
  PyObject* parent = nullptr;        // owned; null for a root
  std::uint32_t parent_version = 0;  // what the view was last cut from
  Op op = Op::alias;                 // how it is cut: slice, reshape, transpose, real, ...
  Dims attrs;
  Array positions = {};  // of a gather, a read-only view
  bool flat = false;     // `x.flat`, whose slices are copies
  bool unsure = false;   // NumPy's may be a copy: refused where that would make a difference
};

// How a view is cut where NumPy has a say of its own.
enum class Cut {
  plain,    // a view if the op needs no copy
  ravel,    // a view only of what lies in C order without gaps
  through,  // writes through even where the op had to copy
  flat,     // so does this one; its slices are copies
};

struct Variable {
  PyObject_HEAD std::uint64_t serial;  // of the recording it belongs to
  void* array;                         // an Array's handle; null for a float64 scalar
  double scalar;
  Alias* alias;
  NodeId node;  // kNoOperand: inactive, depends on no input
  bool guessed;
};

extern PyTypeObject* variable_type;
void make_variable_type(py::module_& m);

inline bool is_variable(PyObject* o) { return Py_TYPE(o) == variable_type; }
inline Variable* as_variable(PyObject* o) { return reinterpret_cast<Variable*>(o); }

// A value and where it is on the tape of this thread.
struct Value {
  Operand operand = kNoOperand;  // kNoOperand: inactive
  Array array;
  bool guessed = false;  // NumPy's may lie in memory in another order
  bool active() const { return operand != kNoOperand; }
};

// New references.
PyObject* new_scalar(const Session& session, NodeId node, double value);
PyObject* new_variable(Value value);
PyObject* new_view(PyObject* parent, Op op, const Dims& attrs, Cut cut = Cut::plain);
// The elements at these flat positions: a read-only view that follows the parent.
PyObject* new_gathered_view(PyObject* parent, const Array& positions);

void free_variable(PyObject* self);  // tp_dealloc

// Raises RecordingError if an active Variable is not of this thread's open recording.
void check_recording(const Variable* v);
// The current value; views refresh themselves first.
Value value_of(Variable* v);
// The value for looking at (shape, repr): also of a recording that has ended.
Array peek(Variable* v);
// Any operand: a Variable, a number, an array. `weak`: a Python number, whose dtype says which
// kind.
struct Argument {
  Value value;
  bool weak = false;
  bool variable = false;
};
// False if `o` is nothing an op can take (the caller returns NotImplemented or raises).
bool argument_from(PyObject* o, Argument& argument);

// Applies an op and records it if an operand is active; outside of programs only if the result can
// have a derivative. The arguments are used up: an op that overwrites writes in place if the handle
// is the only one. `known`: the result, where it has been computed.
Value apply(Op op, std::span<Argument> in, Attrs attrs, const Array* known = nullptr);
// Gives `v` (and what it views) a new value of the same shape and dtype.
void assign(Variable* v, Value value);

// An exception of a custom rule. It is an Error, so where a replay fails with it the function that
// was recorded is asked itself, and raises it at the user's line, or catches it.
struct PythonFailure : Error {
  explicit PythonFailure(py::error_already_set&& e)
      : Error("a custom rule raised an exception"),
        error(std::make_shared<py::error_already_set>(std::move(e))) {}
  std::shared_ptr<py::error_already_set> error;
};

// Runs f, turning C++ exceptions into Python's; null on error.
template <class F>
PyObject* guarded(F&& f);
void set_python_error();  // inside a catch block

template <class F>
PyObject* guarded(F&& f) {
  try {
    return f();
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

// Calls a function of the Python package by module and name; raises what it raises.
py::object call_python(const char* module, const char* function, const py::tuple& args);

Op op_named(PyObject* name);  // raises what str and ValueError raise
// `_core.apply`.
void make_apply(py::module_& m);
// `_core.attach` and the short ways of NumPy's functions.
void make_array_functions(py::module_& m);

// Slots defined in other files.
extern PyNumberMethods variable_as_number;
PyObject* variable_getitem(PyObject* self, PyObject* key);
int variable_setitem(PyObject* self, PyObject* key, PyObject* value);
// The flat positions that a mask or integers on the first axis take; false for any other key, and
// where one is out of bounds.
bool plain_positions(const Dims& shape, PyObject* key, Array& positions);
PyObject* variable_richcompare(PyObject* a, PyObject* b, int op);
PyObject* array_ufunc(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names);
PyObject* array_function(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names);
void register_ufuncs();
// The op of a ufunc object, if the table has it.
std::optional<Op> op_of_ufunc(PyObject* ufunc);
// To be called before `op` is used: the kernels of SciPy's functions are SciPy's loops.
void borrow_from_scipy(Op op);

}  // namespace tapegrad

// The extension module tapegrad._core: a table of contents of the bindings.
#define TAPEGRAD_IMPORTS_NUMPY
#include <string>

#include "base/copy.hpp"
#include "convert.hpp"
#include "custom.hpp"
#include "guards.hpp"
#include "ops/kernels.hpp"
#include "program_type.hpp"
#include "scipy_blas.hpp"
#include "tape_type.hpp"
#include "variable.hpp"

namespace tapegrad {
namespace {

// The plain value of a Variable, not guarded; anything else is returned as it is.
py::object looked_at(py::handle o) {
  if (!is_variable(o.ptr())) return py::reinterpret_borrow<py::object>(o);
  PyObject* out = value_to_python(peek(as_variable(o.ptr())));
  if (!out) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(out);
}

py::object plain_value(py::handle o) {
  if (is_variable(o.ptr())) observe(as_variable(o.ptr()));
  return looked_at(o);
}

py::object seen_value(py::handle o) {
  if (!is_variable(o.ptr())) return py::reinterpret_borrow<py::object>(o);
  PyObject* out = seen(o.ptr());
  if (!out) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(out);
}

// An inactive Variable on a copy of an array: an array that recorded values can be assigned to.
py::object inactive_variable(py::handle o) {
  const Array from = array_from(o.ptr(), "an array");
  return py::reinterpret_steal<py::object>(new_variable({kNoOperand, copy_in_order(from)}));
}

// A Variable of the same value that is no view of this one, in C order or in the order it has.
py::object fresh_copy(py::handle o, bool in_order) {
  require(is_variable(o.ptr()), "a Variable is expected");
  Variable* v = as_variable(o.ptr());
  Value value = value_of(v);
  if (!in_order) {
    value.array = contiguous(value.array);
    value.guessed = false;
  } else if (!is_dense(value.array)) {
    value.array = copy_in_order(value.array);
  }
  return py::reinterpret_steal<py::object>(new_variable(std::move(value)));
}

// One row of the table as Python sees it: name, kind, complex, and the sample interval of each
// argument.
py::list op_table() {
  py::list out;
  auto row = [&](const char* name, const char* kind, bool complex, py::tuple low, py::tuple high) {
    py::dict d;
    d["name"] = name;
    d["kind"] = kind;
    d["complex"] = complex;
    d["low"] = low;
    d["high"] = high;
    out.append(d);
  };
#define UNARY(name, field, value, dx, low, high) \
  row(#name, "unary", math::Formula<Op::name>::complex, py::make_tuple(low), py::make_tuple(high));
#define BINARY(name, field, value, dx, dy, lowx, highx, lowy, highy)                 \
  row(#name, "binary", math::Formula<Op::name>::complex, py::make_tuple(lowx, lowy), \
      py::make_tuple(highx, highy));
#define COMPARISON(name, value) \
  row(#name, "comparison", false, py::make_tuple(-3, -3), py::make_tuple(3, 3));
#define PREDICATE(name, value) \
  row(#name, "comparison", false, py::make_tuple(-3), py::make_tuple(3));
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) row(#name, "structured", true, py::tuple(), py::tuple());
#include "ops/structured.def"
  return out;
}

int import_numpy() {
  import_array1(-1);
  import_umath1(-1);
  return 0;
}

}  // namespace
}  // namespace tapegrad

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  using namespace tapegrad;
  using namespace py::literals;
  m.doc() = "The C++ core of tapegrad: tape, sweeps and the Variable type.";
  if (import_numpy() < 0) throw py::error_already_set();
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const Error&) {
      set_python_error();
    }
  });
  make_variable_type(m);
  make_tape_type(m);
  make_program_types(m);
  make_program_tools(m);
  make_instances(m);
  make_batches(m);
  make_fast_call(m);
  register_ufuncs();
  register_scipy_blas();
  make_apply(m);
  make_custom(m);
  make_array_functions(m);
  m.def("value", plain_value, "variable"_a,
        "The plain value of a Variable, a read-only array; guarded in the recording of a program.");
  m.def("peek", looked_at, "variable"_a,
        "The plain value for looking at: no guard, so nothing recorded may depend on it.");
  m.def("seen", seen_value, "variable"_a,
        "The value without its derivative: plain, but recorded in the recording of a program.");
  m.def(
      "in_program", [] { return program_session() != nullptr; },
      "Is the recording of a program open here?");
  m.def("variable", inactive_variable, "array"_a, "An inactive Variable on a copy of an array.");
  m.def("copy", fresh_copy, "variable"_a, "in_order"_a = false,
        "The same value as a Variable of its own, in C order or in the order it has.");
  m.def("recording", [] { return current_session != nullptr; }, "Is a recording open here?");
  m.def("ops", op_table, "The registry: a dict for each op.");
}

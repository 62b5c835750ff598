// The extension module tapegrad._core: a table of contents of the bindings.
#define TAPEGRAD_IMPORTS_NUMPY
#include <string>

#include "base/copy.hpp"
#include "convert.hpp"
#include "ops/kernels.hpp"
#include "scipy_blas.hpp"
#include "tape_type.hpp"
#include "variable.hpp"

namespace tapegrad {
namespace {

Op op_named(const std::string& name) {
  static const auto* ops = [] {
    auto* m = new std::unordered_map<std::string, Op>;
    for (int i = 0; i < static_cast<int>(Op::input); ++i)
      (*m)[std::string(op_name(static_cast<Op>(i)))] = static_cast<Op>(i);
    return m;
  }();
  const auto found = ops->find(name);
  if (found == ops->end()) throw Error("no op is named " + name);
  return found->second;
}

// apply(name, operands, attrs=()): a Variable if an operand is one, else an array or number.
py::object apply_named(const std::string& name, const py::sequence& operands, const py::sequence& attrs) {
  const Op op = op_named(name);
  std::vector<Argument> in(operands.size());
  bool variable = false;
  if (arity_of(op) >= 0 && static_cast<std::size_t>(arity_of(op)) != in.size())
    throw Error(name + " takes " + std::to_string(arity_of(op)) + " operands");
  require(!in.empty(), "an op needs an operand");
  for (std::size_t i = 0; i < in.size(); ++i) {
    const py::object o = operands[i];
    if (!argument_from(o.ptr(), in[i]))
      throw TypeFault(name + ": cannot use a " + Py_TYPE(o.ptr())->tp_name + " as an operand");
    variable = variable || in[i].variable;
  }
  Value value = apply(op, in, dims_from(attrs.ptr()));
  PyObject* out = variable ? new_variable(std::move(value)) : value_to_python(value.array);
  if (!out) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(out);
}

// The plain value of a Variable; anything else is returned as it is.
py::object plain_value(py::handle o) {
  if (!is_variable(o.ptr())) return py::reinterpret_borrow<py::object>(o);
  PyObject* out = value_to_python(peek(as_variable(o.ptr())));
  if (!out) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(out);
}

// An inactive Variable on a copy of an array: an array that recorded values can be assigned to.
py::object inactive_variable(py::handle o) {
  const Array from = array_from(o.ptr(), "an array");
  Array copy = Array::empty(from.dtype(), from.shape());
  copy_into(from, copy);
  return py::reinterpret_steal<py::object>(new_variable({kNoOperand, std::move(copy)}));
}

// A Variable of the same value that is no view of this one.
py::object fresh_copy(py::handle o) {
  require(is_variable(o.ptr()), "a Variable is expected");
  return py::reinterpret_steal<py::object>(new_variable(value_of(as_variable(o.ptr()))));
}

// One row of the table as Python sees it: name, kind, complex, and the sample interval of each argument.
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
#define UNARY(name, field, value, dx, low, high)                                             \
  row(#name, "unary", math::Formula<Op::name>::complex, py::make_tuple(low), py::make_tuple(high));
#define BINARY(name, field, value, dx, dy, lowx, highx, lowy, highy)           \
  row(#name, "binary", math::Formula<Op::name>::complex, py::make_tuple(lowx, lowy), \
      py::make_tuple(highx, highy));
#define COMPARISON(name, value) \
  row(#name, "comparison", false, py::make_tuple(-3, -3), py::make_tuple(3, 3));
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
  register_ufuncs();
  register_scipy_blas();
  m.def("apply", apply_named, "name"_a, "operands"_a, "attrs"_a = py::tuple(),
        "Apply an op of the registry to Variables, arrays and numbers.");
  m.def("value", plain_value, "variable"_a, "The plain value of a Variable, a read-only array.");
  m.def("variable", inactive_variable, "array"_a, "An inactive Variable on a copy of an array.");
  m.def("copy", fresh_copy, "variable"_a, "The same value as a Variable of its own.");
  m.def("recording", [] { return current_session != nullptr; }, "Is a recording open here?");
  m.def("ops", op_table, "The registry: a dict for each op.");
}

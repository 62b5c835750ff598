// `_core.apply`, the door by which the Python package uses the ops. Plain CPython calls: a composed
// function goes through here often.
#include <string>
#include <unordered_map>

#include "convert.hpp"
#include "variable.hpp"

namespace tapegrad {

Op op_named(PyObject* name) {
  static const auto* ops = [] {
    auto* m = new std::unordered_map<std::string, Op>;
    for (int i = 0; i < static_cast<int>(Op::input); ++i)
      (*m)[std::string(op_name(static_cast<Op>(i)))] = static_cast<Op>(i);
    return m;
  }();
  const char* text = PyUnicode_AsUTF8(name);
  if (!text) throw py::error_already_set();
  const auto found = ops->find(text);
  if (found == ops->end()) throw Error(std::string("no op is named ") + text);
  borrow_from_scipy(found->second);
  return found->second;
}

namespace {

PyObject* result_of(Value value, bool variable) {
  return variable ? new_variable(std::move(value)) : value_to_python(value.array);
}

PyObject* apply_on(Op op, PyObject* operands, const Dims& attrs) {
  const auto fast =
      py::reinterpret_steal<py::object>(PySequence_Fast(operands, "operands: a sequence"));
  if (!fast) throw py::error_already_set();
  const auto n = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(fast.ptr()));
  require(n > 0, "an op needs an operand");
  if (arity_of(op) >= 0 && static_cast<std::size_t>(arity_of(op)) != n)
    throw Error(std::string(op_name(op)) + " takes " + std::to_string(arity_of(op)) + " operands");
  std::array<Argument, 3> few;
  std::vector<Argument> many(n > few.size() ? n : 0);
  const std::span<Argument> in =
      n > few.size() ? std::span<Argument>(many) : std::span<Argument>(few.data(), n);
  bool variable = false;
  for (std::size_t i = 0; i < n; ++i) {
    PyObject* o = PySequence_Fast_GET_ITEM(fast.ptr(), static_cast<Py_ssize_t>(i));
    if (!argument_from(o, in[i]))
      throw TypeFault(std::string(op_name(op)) + ": cannot use a " + Py_TYPE(o)->tp_name +
                      " as an operand");
    variable = variable || in[i].variable;
  }
  return result_of(apply(op, in, attrs), variable);
}

// apply(name, operands, attrs=()): a Variable if an operand is one, else an array or number.
PyObject* apply_named(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&]() -> PyObject* {
    const Py_ssize_t given = n + (names ? PyTuple_GET_SIZE(names) : 0);
    const bool named = names && PyTuple_GET_SIZE(names) > 0;
    if (n < 2 || given > 3 ||
        (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "attrs") != 0))
      throw TypeFault("apply(name, operands, attrs=())");
    return apply_on(op_named(args[0]), args[1], given == 3 ? dims_from(args[2]) : Dims());
  });
}

PyMethodDef apply_method = {
    "apply", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(apply_named)),
    METH_FASTCALL | METH_KEYWORDS,
    "apply($module, name, operands, attrs=(), /)\n--\n\nApply an op of the registry to Variables, "
    "arrays and numbers."};

}  // namespace

void make_apply(py::module_& m) {
  PyObject* function = PyCFunction_NewEx(&apply_method, nullptr, m.attr("__name__").ptr());
  if (!function) throw py::error_already_set();
  m.attr("apply") = py::reinterpret_steal<py::object>(function);
}

}  // namespace tapegrad

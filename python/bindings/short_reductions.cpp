// The short ways of reductions, and of questions that reduce: parse the plain form, decline any
// other, apply ops. What they compute and record is what the function of the same name in
// tapegrad.functions does.
#include <algorithm>

#include "convert.hpp"
#include "short_arguments.hpp"
#include "short_ways.hpp"

namespace tapegrad::ways {
namespace {

// keepdims, then the axes in ascending order, as the ops of reductions take them.
bool reduced_axes(PyObject* axis, PyObject* keepdims, std::size_t ndim, Dims& attrs) {
  bool keep = false;
  if (!flag_from(keepdims, keep)) return false;
  Dims axes;
  if (is_none(axis))
    for (std::size_t d = 0; d < ndim; ++d) axes.push_back(static_cast<std::int64_t>(d));
  else if (PyList_CheckExact(axis) || !axes_from(axis, ndim, axes)) return false;
  std::sort(axes.begin(), axes.end());
  attrs = Dims{keep};
  for (auto d : axes) attrs.push_back(d);
  return true;
}

template <Op op>
PyObject* reduction(Given given) {
  Argument x;
  Dims attrs;
  if (!variable_from(given[0], x)) return nullptr;
  const Array& a = x.value.array;
  if (!reduced_axes(given[1], given[2], a.shape().size(), attrs)) return nullptr;
  const bool extreme = op == Op::max || op == Op::min;
  if (extreme && (a.dtype() == DType::c128 || a.size() == 0)) return nullptr;
  return record(op, std::move(x), attrs);
}

// The real arrays of a mean, its axes, and how many numbers it takes.
struct Averaged {
  Argument x;
  Dims attrs;
  std::int64_t count = 1;
};
bool averaged_from(PyObject* o, PyObject* axis, PyObject* keepdims, Averaged& a) {
  if (!variable_from(o, a.x)) return false;
  const Dims shape = shape_of(a.x);
  if (!reduced_axes(axis, keepdims, shape.size(), a.attrs)) return false;
  for (std::size_t i = 1; i < a.attrs.size(); ++i)
    a.count *= shape[static_cast<std::size_t>(a.attrs[i])];
  return a.count > 0;
}
Argument over(Argument total, std::int64_t count) {
  return on(Op::divide, std::move(total), number(static_cast<double>(count)));
}

// (x, axis, ddof, keepdims)
bool variance(Given given, Argument& found) {
  Averaged a;
  std::int64_t ddof = 0;
  if (!averaged_from(given[0], given[1], given[3], a) || is_complex(a.x)) return false;
  if ((given[2] && !integer_from(given[2], ddof)) || ddof >= a.count) return false;
  Dims kept = a.attrs;
  kept[0] = true;
  const Argument off = on(Op::subtract, a.x, over(on(Op::sum, a.x, kept), a.count));
  found = over(on(Op::sum, on(Op::multiply, off, off), a.attrs), a.count - ddof);
  return true;
}

// sqrt(x . x) of everything, as np.linalg.norm computes it.
PyObject* norm_of_all(Argument x) {
  if (program_session()) return nullptr;  // where a sum of squares becomes one loop
  x = flat(std::move(x));
  return result(on(Op::root, on(Op::matmul, x, x)));
}

// The answer of ndarray's method `name` on the plain value. In a program an answer is recorded.
PyObject* answered(const char* name, Given given, std::initializer_list<const char*> parameters) {
  if (program_session() || !is_variable(given[0])) return nullptr;
  PyObject* arguments[4];
  const auto self = py::reinterpret_steal<py::object>(
      array_to_numpy(value_of(as_variable(given[0])).array, false));
  if (!self) throw py::error_already_set();
  arguments[0] = self.ptr();
  py::list keywords;
  std::size_t n = 1;
  for (const char* const* parameter = parameters.begin(); parameter != parameters.end();
       ++parameter) {
    PyObject* value = given[1 + (parameter - parameters.begin())];
    if (!value) continue;
    if (is_variable(value)) return nullptr;
    arguments[n++] = value;
    keywords.append(py::str(*parameter));
  }
  const py::str method(name);
  const py::tuple names(keywords);
  return PyObject_VectorcallMethod(method.ptr(), arguments, 1, n > 1 ? names.ptr() : nullptr);
}

}  // namespace

PyObject* sum(Given given) { return reduction<Op::sum>(given); }
PyObject* prod(Given given) { return reduction<Op::prod>(given); }
PyObject* max(Given given) { return reduction<Op::max>(given); }
PyObject* min(Given given) { return reduction<Op::min>(given); }

PyObject* mean(Given given) {
  Averaged a;
  if (!averaged_from(given[0], given[1], given[2], a)) return nullptr;
  return result(over(on(Op::sum, a.x, a.attrs), a.count));
}
PyObject* var(Given given) {
  Argument found;
  return variance(given, found) ? result(std::move(found)) : nullptr;
}
PyObject* std(Given given) {
  Argument found;
  return variance(given, found) ? result(on(Op::root, found)) : nullptr;
}

PyObject* ptp(Given given) {
  Averaged a;
  if (!averaged_from(given[0], given[1], given[2], a) || is_complex(a.x)) return nullptr;
  return result(on(Op::subtract, on(Op::max, a.x, a.attrs), on(Op::min, a.x, a.attrs)));
}

PyObject* norm(Given given) {
  Argument x;
  std::int64_t order = 2, axis = 0;
  if (!variable_from(given[0], x) || is_complex(x)) return nullptr;
  const std::size_t ndim = shape_of(x).size();
  const bool all = is_none(given[2]);
  if (all && is_none(given[1]) && !given[3]) return norm_of_all(std::move(x));
  if (all && ndim != 1) return nullptr;
  if (!all && !axis_from(given[2], ndim, axis)) return nullptr;
  if (!is_none(given[1]) && !integer_from(given[1], order)) return nullptr;
  bool keep = false;
  if (!flag_from(given[3], keep)) return nullptr;
  if (order == 2 && all && !keep) return norm_of_all(std::move(x));
  const Dims attrs{keep, axis};
  if (order == 1) return result(on(Op::sum, on(Op::absolute, std::move(x)), attrs));
  if (order != 2) return nullptr;
  return result(on(Op::root, on(Op::sum, on(Op::multiply, x, x), attrs)));
}

PyObject* any(Given given) { return answered("any", given, {"axis", "keepdims"}); }
PyObject* all(Given given) { return answered("all", given, {"axis", "keepdims"}); }
PyObject* argmax(Given given) { return answered("argmax", given, {"axis", "keepdims"}); }
PyObject* argmin(Given given) { return answered("argmin", given, {"axis", "keepdims"}); }
PyObject* argsort(Given given) { return answered("argsort", given, {"axis", "kind"}); }

}  // namespace tapegrad::ways

// The short way of np.einsum: the steps, which depend on subscripts and shapes alone, are worked
// out in Python (functions/einsum.py) and kept here.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "convert.hpp"
#include "ops/rules.hpp"
#include "short_arguments.hpp"
#include "short_ways.hpp"

namespace tapegrad::ways {
namespace {

struct Step {
  Op op;
  Dims places;  // the operands come first, then the result of each step
  Dims attrs;
};
using Steps = std::vector<Step>;

constexpr std::size_t kMostOperands = 3;
constexpr std::size_t kMostKept = 512;

Steps steps_from_python(PyObject* subscripts, const std::vector<Argument>& operands) {
  py::tuple shapes(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i)
    shapes[i] = py::reinterpret_steal<py::object>(dims_to_tuple(shape_of(operands[i])));
  const py::object found =
      call_python("tapegrad.functions.einsum", "steps",
                  py::make_tuple(py::reinterpret_borrow<py::object>(subscripts), shapes, false));
  Steps steps;
  for (const py::handle step : found) {
    const auto parts = py::reinterpret_borrow<py::tuple>(step);
    const py::object name = parts[0], places = parts[1], attrs = parts[2];
    steps.push_back({op_named(name.ptr()), dims_from(places.ptr()), dims_from(attrs.ptr())});
  }
  return steps;
}

// Each thread keeps its own.
const Steps* steps_of(PyObject* subscripts, const std::vector<Argument>& operands) {
  thread_local std::unordered_map<std::string, Steps> kept;
  Py_ssize_t length = 0;
  const char* text = PyUnicode_AsUTF8AndSize(subscripts, &length);
  if (!text) throw py::error_already_set();
  std::string key(text, static_cast<std::size_t>(length));
  for (const Argument& a : operands) {
    const Dims& shape = a.value.array.shape();
    key += '\0';
    key.append(reinterpret_cast<const char*>(shape.data()), shape.size() * sizeof(std::int64_t));
    key += static_cast<char>(shape.size());
  }
  const auto found = kept.find(key);
  if (found != kept.end()) return &found->second;
  if (kept.size() >= kMostKept) kept.clear();
  Steps steps = steps_from_python(subscripts, operands);
  return &(kept[std::move(key)] = std::move(steps));
}

bool only_views(const Step& step) { return is_view(step.op); }

}  // namespace

PyObject* einsum(Given given) {
  PyObject* subscripts = given[0];
  PyObject* optimize = given[1 + kMostOperands];
  if (!PyUnicode_CheckExact(subscripts) || !given[1]) return nullptr;
  if (optimize && !PyBool_Check(optimize)) return nullptr;  // both find the same order
  std::vector<Argument> values;
  for (std::size_t i = 1; i <= kMostOperands && given[i]; ++i) {
    if (!operand_from(given[i], values.emplace_back())) return nullptr;
    if (values.back().value.array.dtype() != values[0].value.array.dtype()) return nullptr;
  }
  if (!is_differentiable(values[0].value.array.dtype())) return nullptr;
  const Steps steps = *steps_of(subscripts, values);
  if (steps.empty() || (values.size() == 1 && std::ranges::all_of(steps, only_views)))
    return nullptr;  // a view
  std::vector<Argument> in;
  for (const Step& step : steps) {
    in.clear();
    for (auto place : step.places) in.push_back(values[static_cast<std::size_t>(place)]);
    values.push_back(own(apply(step.op, in, step.attrs)));
  }
  values.back().value.guessed = values.back().value.array.ndim() > 1;
  return result(std::move(values.back()));
}

}  // namespace tapegrad::ways

// The short ways of differences and running products along an axis: parse the plain form, decline
// any other, apply ops. What they compute and record is what the function of the same name in
// tapegrad.functions does.
#include <vector>

#include "base/copy.hpp"
#include "short_arguments.hpp"
#include "short_ways.hpp"

namespace tapegrad::ways {

PyObject* diff(Given given) {
  Argument x;
  std::int64_t times = 1, axis = -1;
  if (!variable_from(given[0], x) || x.value.array.ndim() == 0) return nullptr;
  const std::size_t ndim = shape_of(x).size();
  if (given[1] && !integer_from(given[1], times)) return nullptr;
  if (given[2] ? !axis_from(given[2], ndim, axis) : false) return nullptr;
  const std::size_t k = given[2] ? static_cast<std::size_t>(axis) : ndim - 1;
  const std::int64_t length = shape_of(x)[k];
  if (times < 1 || length < times) return nullptr;
  for (std::int64_t n = length - 1; n >= length - times; --n)
    x = on(Op::subtract, sliced(x, k, 1, n), sliced(x, k, 0, n));
  return result(std::move(x));
}

PyObject* cumprod(Given given) {
  Argument x;
  std::int64_t axis = 0;
  if (!variable_from(given[0], x)) return nullptr;
  if (is_none(given[1])) x = flat(std::move(x));
  else if (!axis_from(given[1], shape_of(x).size(), axis)) return nullptr;
  const auto after = static_cast<std::int64_t>(shape_of(x).size()) - 1 - axis;
  return record(Op::cumprod, std::move(x), Dims{after});
}

namespace {

// Central differences inside, one-sided ones at both ends; `spacing` null for 1.
Argument slopes(const Argument& f, const double* spacing, std::size_t axis) {
  const std::int64_t n = shape_of(f)[axis];
  const auto difference = [&](std::int64_t later, std::int64_t earlier, std::int64_t length) {
    return on(Op::subtract, sliced(f, axis, later, length), sliced(f, axis, earlier, length));
  };
  const auto by_step = [&](Argument d) {
    return spacing ? on(Op::divide, std::move(d), number(*spacing)) : d;
  };
  const Argument twice = number(2.0 * (spacing ? *spacing : 1.0));
  std::vector<Argument> parts;
  parts.push_back(by_step(difference(1, 0, 1)));
  if (n > 2) parts.push_back(on(Op::divide, difference(2, 0, n - 2), twice));
  parts.push_back(by_step(difference(n - 1, n - 2, 1)));
  return own(apply(Op::concatenate, parts, Dims{static_cast<std::int64_t>(axis)}));
}

}  // namespace

PyObject* gradient(Given given) {
  Argument f;
  if (!variable_from(given[0], f)) return nullptr;
  if (given[1] && !PyFloat_CheckExact(given[1])) return nullptr;
  const double spacing = given[1] ? PyFloat_AS_DOUBLE(given[1]) : 1.0;
  Dims axes;
  const Dims shape = shape_of(f);
  if (is_none(given[2]))
    for (std::size_t k = 0; k < shape.size(); ++k) axes.push_back(static_cast<std::int64_t>(k));
  else if (!axes_from(given[2], shape.size(), axes)) return nullptr;
  if (axes.empty()) return nullptr;
  for (auto k : axes)
    if (shape[static_cast<std::size_t>(k)] < 2) return nullptr;
  const auto along = [&](std::int64_t k) {
    Argument found = slopes(f, given[1] ? &spacing : nullptr, static_cast<std::size_t>(k));
    // NumPy's lies as f does.
    found.value.guessed |= shape.size() > 1 && !lies_in_rows(f.value.array);
    return result(std::move(found));
  };
  if (axes.size() == 1) return along(axes[0]);
  py::tuple all(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i)
    all[i] = py::reinterpret_steal<py::object>(along(axes[i]));
  return all.release().ptr();
}

}  // namespace tapegrad::ways

// The short ways of functions that join arrays: parse the plain form, decline any other, apply ops.
// What they compute and record is what the function of the same name in tapegrad.functions does.
#include <vector>

#include "short_arguments.hpp"
#include "short_ways.hpp"

namespace tapegrad::ways {
namespace {

// The parts of a tuple or list, all with one number of axes.
bool parts_from(PyObject* sequence, std::vector<Argument>& parts) {
  if (!PyTuple_CheckExact(sequence) && !PyList_CheckExact(sequence)) return false;
  parts.resize(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence)));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!operand_from(PySequence_Fast_ITEMS(sequence)[i], parts[i])) return false;
    if (parts[i].value.array.ndim() != parts[0].value.array.ndim()) return false;
  }
  return !parts.empty();
}

PyObject* joined(std::vector<Argument>& parts, std::int64_t axis) {
  return record(Op::concatenate, parts, Dims{axis});
}

// The op gives an operand that lacks the axis a length of 1 along it, if another one has it or it
// is the last: so at most one part is reshaped.
PyObject* stack_along(std::vector<Argument>& parts, std::int64_t axis) {
  Dims shape = parts[0].value.array.shape();
  for (const Argument& part : parts)
    if (!(part.value.array.shape() == shape)) return nullptr;
  if (axis < static_cast<std::int64_t>(shape.size())) {
    shape.insert(static_cast<std::size_t>(axis), 1);
    parts[0].value = apply(Op::reshape, {parts.data(), 1}, shape);
  }
  return joined(parts, axis);
}

}  // namespace

PyObject* concatenate(Given given) {
  std::vector<Argument> parts;
  std::int64_t axis = 0;
  if (!parts_from(given[0], parts)) return nullptr;
  const std::size_t ndim = parts[0].value.array.shape().size();
  if (ndim == 0 || (given[1] && !axis_from(given[1], ndim, axis))) return nullptr;
  return joined(parts, axis);
}

PyObject* stack(Given given) {
  std::vector<Argument> parts;
  std::int64_t axis = 0;
  if (!parts_from(given[0], parts)) return nullptr;
  const std::size_t ndim = parts[0].value.array.shape().size();
  if (given[1] && !axis_from(given[1], ndim + 1, axis)) return nullptr;
  return stack_along(parts, axis);
}

PyObject* column_stack(Given given) {
  std::vector<Argument> parts;
  if (!parts_from(given[0], parts)) return nullptr;
  const int ndim = parts[0].value.array.ndim();
  if (ndim == 0 || ndim > 2) return nullptr;
  return ndim == 1 ? stack_along(parts, 1) : joined(parts, 1);
}

PyObject* append(Given given) {
  std::vector<Argument> parts(2);
  for (std::size_t i : {0u, 1u})
    if (!operand_from(given[i], parts[i])) return nullptr;
  const int ndim = parts[0].value.array.ndim();
  std::int64_t axis = 0;
  if (is_none(given[2])) {
    for (Argument& part : parts) part = flat(std::move(part));
  } else if (parts[1].value.array.ndim() != ndim ||
             !axis_from(given[2], static_cast<std::size_t>(ndim), axis)) {
    return nullptr;
  }
  return joined(parts, axis);
}

PyObject* hstack(Given given) {
  std::vector<Argument> parts;
  if (!parts_from(given[0], parts)) return nullptr;
  const int ndim = parts[0].value.array.ndim();
  return ndim == 0 ? nullptr : joined(parts, ndim == 1 ? 0 : 1);
}

PyObject* vstack(Given given) {
  std::vector<Argument> parts;
  if (!parts_from(given[0], parts)) return nullptr;
  const int ndim = parts[0].value.array.ndim();
  if (ndim == 0) return nullptr;
  return ndim == 1 ? stack_along(parts, 0) : joined(parts, 0);
}

}  // namespace tapegrad::ways

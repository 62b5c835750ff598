// The short ways of products: parse the plain form, decline any other, apply ops. What they compute
// and record is what the function of the same name in tapegrad.functions does.
#include <algorithm>

#include "base/copy.hpp"
#include "short_arguments.hpp"
#include "short_ways.hpp"

namespace tapegrad::ways {

PyObject* dot(Given given) {
  Argument in[2];
  if (!operand_from(given[0], in[0]) || !operand_from(given[1], in[1])) return nullptr;
  const int a = in[0].value.array.ndim(), b = in[1].value.array.ndim();
  if (a > 2 || b > 2) return nullptr;
  if (a > 0 && b > 0) return record(Op::matmul, in);
  Value product = apply(Op::multiply, in, {});
  product.array = contiguous(product.array);  // NumPy's is in C order
  product.guessed = false;
  return new_variable(std::move(product));
}

// Of vectors; vdot would conjugate complex numbers.
PyObject* inner(Given given) {
  Argument in[2];
  if (!operand_from(given[0], in[0]) || !operand_from(given[1], in[1])) return nullptr;
  for (const Argument& a : in)
    if (a.value.array.ndim() != 1) return nullptr;
  return record(Op::matmul, in);
}
PyObject* vdot(Given given) {
  Argument first;
  if (!operand_from(given[0], first) || first.value.array.dtype() == DType::c128) return nullptr;
  return inner(given);
}

PyObject* outer(Given given) {
  Argument in[2];
  if (!operand_from(given[0], in[0]) || !operand_from(given[1], in[1])) return nullptr;
  for (const Argument& a : in)
    if (a.value.array.ndim() != 1) return nullptr;
  in[0].value = apply(Op::reshape, {in, 1}, Dims{in[0].value.array.size(), 1});
  return record(Op::multiply, in);
}

namespace {

// The axes that tensordot sums over, of both operands: a number, or a pair of axes or lists of
// them.
bool contracted_axes(PyObject* axes, const Dims (&shapes)[2], Dims (&over)[2]) {
  std::int64_t count = 2;
  if (axes && (PyTuple_CheckExact(axes) || PyList_CheckExact(axes))) {
    if (PySequence_Fast_GET_SIZE(axes) != 2) return false;
    for (int i : {0, 1})
      if (!axes_from(PySequence_Fast_GET_ITEM(axes, i), shapes[i].size(), over[i])) return false;
    return over[0].size() == over[1].size();
  }
  if (axes && !integer_from(axes, count)) return false;
  const auto a = shapes[0].ndim(), b = shapes[1].ndim();
  if (count < 0 || count > a || count > b) return false;
  for (std::int64_t k = 0; k < count; ++k) {
    over[0].push_back(a - count + k);
    over[1].push_back(k);
  }
  return true;
}

Dims other_axes(std::size_t ndim, const Dims& axes) {
  Dims rest;
  for (std::int64_t k = 0; k < static_cast<std::int64_t>(ndim); ++k)
    if (std::find(axes.begin(), axes.end(), k) == axes.end()) rest.push_back(k);
  return rest;
}
Dims picked(const Dims& from, const Dims& places) {
  Dims found;
  for (auto k : places) found.push_back(from[static_cast<std::size_t>(k)]);
  return found;
}

// The operand as a matrix of the axes `rows` by the axes `columns`.
Argument as_matrix(Argument x, const Dims& rows, const Dims& columns) {
  const Dims shape = shape_of(x);
  Dims order = rows;
  for (auto k : columns) order.push_back(k);
  if (!std::is_sorted(order.begin(), order.end())) x = on(Op::transpose, std::move(x), order);
  return reshaped(std::move(x), {picked(shape, rows).product(), picked(shape, columns).product()});
}

}  // namespace

PyObject* tensordot(Given given) {
  Argument in[2];
  if (!operand_from(given[0], in[0]) || !operand_from(given[1], in[1])) return nullptr;
  const Dims shapes[2] = {shape_of(in[0]), shape_of(in[1])};
  Dims over[2];
  if (!contracted_axes(given[2], shapes, over)) return nullptr;
  if (!(picked(shapes[0], over[0]) == picked(shapes[1], over[1]))) return nullptr;
  const Dims free[2] = {other_axes(shapes[0].size(), over[0]),
                        other_axes(shapes[1].size(), over[1])};
  Dims shape = picked(shapes[0], free[0]);
  for (auto n : picked(shapes[1], free[1])) shape.push_back(n);
  const Argument left = as_matrix(std::move(in[0]), free[0], over[0]);
  const Argument right = as_matrix(std::move(in[1]), over[1], free[1]);
  return result(reshaped(on(Op::matmul, left, right), shape));
}

}  // namespace tapegrad::ways

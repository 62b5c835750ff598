// The all-pole filter y[t] = x[t] - a[0] y[t-1] - a[1] y[t-2] - ... along the last axis, what is
// recursive in a linear filter. Attribute: reverse, to run from the end with t + 1, t + 2, ... .
// Leading axes broadcast.
#include <vector>

#include "ops/matrix.hpp"
#include "ops/parts.hpp"

namespace tapegrad {
namespace {

Meta allpole_shape(std::span<const Meta> in, Attrs attrs) {
  const Dims &x = in[0].shape, &a = in[1].shape;
  require(attrs.size() == 1, "allpole: the attribute is the direction");
  require(!x.empty() && !a.empty(), "allpole: operands need at least one axis");
  const DType dtype = matrix_dtype("allpole", promote(in[0].dtype, in[1].dtype));
  Dims shape = broadcast_shapes(leading_axes(x, 1), leading_axes(a, 1));
  shape.push_back(x.back());
  return {dtype, shape};
}

template <class T>
void filter_rows(const Array& x, const Array& a, bool reverse, const Array& out) {
  const std::int64_t n = x.shape().back(), order = a.shape().back();
  const std::int64_t x_step = x.strides().back(), a_step = a.strides().back();
  const std::int64_t step = reverse ? -1 : 1, first = reverse ? n - 1 : 0;
  std::vector<T> poles(static_cast<std::size_t>(order));
  const Dims batch = leading_axes(out.shape(), 1);
  for_each_matrix<3>(
      batch, {walk_leading(x, 1, batch), walk_leading(a, 1, batch), walk_leading(out, 1, batch)},
      [&](char* const* p) {
        for (std::int64_t k = 0; k < order; ++k)
          poles[static_cast<std::size_t>(k)] = *reinterpret_cast<T*>(p[1] + k * a_step);
        T* y = reinterpret_cast<T*>(p[2]) + first;
        for (std::int64_t t = 0; t < n; ++t, y += step) {
          T sum = *reinterpret_cast<T*>(p[0] + (first + t * step) * x_step);
          for (std::int64_t k = 0; k < std::min(t, order); ++k)
            sum -= poles[static_cast<std::size_t>(k)] * y[-(k + 1) * step];
          *y = sum;
        }
      });
}

void allpole_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(),
                 [&](auto zero) { filter_rows<decltype(zero)>(in[0], in[1], attrs[0] != 0, out); });
}

Term allpole(Term x, Term a, bool reverse) {
  const std::int64_t attrs[] = {reverse};
  return x.algebra->apply(Op::allpole, {x, a}, attrs);
}

Term flipped(Term x) {
  const std::int64_t n = x.algebra->meta(x).shape.back();
  return slice_last(x, n - 1, -1, n);
}

// (..., n) -> (..., order, n): row k is y, later by k + 1, zeros before. The rows of `order` copies
// of the padded y, laid end to end and cut into rows one shorter, shift against each other.
Term delayed(Term y, std::int64_t order, bool reverse) {
  if (reverse) return flipped(delayed(flipped(y), order, false));
  Dims shape = y.algebra->meta(y).shape;
  const std::int64_t n = shape.back(), length = n + order;
  const Term padded = unslice_last(y, order, 1, length);
  shape[shape.size() - 1] = 1;
  shape.push_back(length);
  const Term row = reshape(padded, shape);
  shape[shape.size() - 2] = order;
  const Term rows = broadcast_to(row, shape);
  shape.resize(shape.size() - 1);
  shape[shape.size() - 1] = order * length;
  const Term cut = slice_last(reshape(rows, shape), 0, 1, order * (length - 1));
  shape[shape.size() - 1] = order;
  shape.push_back(length - 1);
  return slice_last(reshape(cut, shape), order - 1, 1, n);
}

std::int64_t order_of(const Rule& rule) { return rule.in_meta(1).shape.back(); }
bool is_moved(const Rule& rule) { return rule.active(1) && order_of(rule) > 0; }

// y' + sum a_k y'[t-k] = x' - sum a'_k y[t-k]
Term allpole_tangent(Rule& rule) {
  const bool reverse = rule.attrs[0] != 0;
  Term right = rule.active(0) ? rule.tangent(0) : zeros(rule.algebra, rule.in_meta(0));
  if (is_moved(rule)) {
    const Term a = rule.tangent(1);
    Dims row = rule.in_meta(1).shape;
    row.insert(row.size() - 1, 1);
    const Term moved = matmul(reshape(a, row), delayed(rule.out(), order_of(rule), reverse));
    right = right - reshape(moved, rule.out_meta().shape);
  }
  return allpole(cast(broadcast_to(right, rule.out_meta().shape), rule.out_meta().dtype),
                 rule.in(1), reverse);
}

// The transposed filter runs the other way.
void allpole_adjoint(Rule& rule, Term adjoint) {
  const bool reverse = rule.attrs[0] != 0;
  const Term w = allpole(adjoint, rule.in(1), !reverse);
  if (rule.active(0)) rule.add(0, fit(w, rule.in_meta(0)));
  if (!is_moved(rule)) return;
  Dims column = rule.out_meta().shape;
  column.push_back(1);
  const Term sums = matmul(delayed(rule.out(), order_of(rule), reverse), reshape(w, column));
  column.erase(column.size() - 1);
  column[column.size() - 1] = order_of(rule);
  rule.add(1, fit(-reshape(sums, column), rule.in_meta(1)));
}

}  // namespace

const Rules rules::allpole = {.shape = allpole_shape,
                              .value = allpole_value,
                              .tangent = allpole_tangent,
                              .adjoint = allpole_adjoint,
                              .needs = {1u << 1, 1u << 1 | kNeedsOut, 0},
                              .lanes = Lanes::aligned};

}  // namespace tapegrad

// recurrence(a, x): y[t] = x[t] + a[t] y[t-1] along the last axis; attribute: reverse, to run from
// the end with y[t+1]. cumprod(x): running products along an axis. The rules of both are written
// with the first; nothing is divided, so zeros are nothing special. Leading axes broadcast.
#include "ops/matrix.hpp"
#include "ops/parts.hpp"
#include "ops/plain.hpp"

namespace tapegrad {
namespace {

// Calls f(operands and result at their first element) for each row.
template <std::size_t n, class F>
void for_each_row(const std::array<const Array*, n>& arrays, F&& f) {
  const Dims batch = leading_axes(arrays.back()->shape(), 1);
  std::array<Walker, n> walks;
  for (std::size_t k = 0; k < n; ++k) walks[k] = walk_leading(*arrays[k], 1, batch);
  for_each_matrix<n>(batch, walks, f);
}

// y as it was one step before, zero at first.
Term previous(Term y, bool reverse) {
  const std::int64_t n = y.algebra->meta(y).shape.back();
  const Term padded = unslice_last(y, reverse ? 0 : 1, 1, n + 1);
  return slice_last(padded, reverse ? 1 : 0, 1, n);
}

Term recurrence(Term a, Term x, bool reverse) {
  const std::int64_t attrs[] = {reverse};
  return x.algebra->apply(Op::recurrence, {a, x}, attrs);
}

// The adjoint of x in y[t] = x[t] + a[t] y[t-1] runs the other way, with the coefficient that comes
// next.
Term recurrence_back(Term a, Term g, bool reverse) {
  return recurrence(previous(a, !reverse), g, !reverse);
}

// ---- recurrence ----

Meta recurrence_shape(std::span<const Meta> in, Attrs attrs) {
  const Dims &a = in[0].shape, &x = in[1].shape;
  require(attrs.size() <= 1 && !a.empty() && !x.empty() && a.back() == x.back(),
          "recurrence: a and x need one last axis");
  return {matrix_dtype("recurrence", promote(in[0].dtype, in[1].dtype)), broadcast_shapes(a, x)};
}

bool is_reverse(Attrs attrs) { return !attrs.empty() && attrs[0] != 0; }

// A value of zero stops, as zero adjoints do everywhere.
void recurrence_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  const std::int64_t n = out.shape().back(), step = is_reverse(attrs) ? -1 : 1;
  const std::int64_t first = is_reverse(attrs) ? n - 1 : 0;
  const std::int64_t a_step = in[0].strides().back(), x_step = in[1].strides().back();
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_row<3>({&in[0], &in[1], &out}, [&](char* const* p) {
      T y{};
      for (std::int64_t k = 0, t = first; k < n; ++k, t += step) {
        const T a = *reinterpret_cast<T*>(p[0] + t * a_step);
        y = *reinterpret_cast<T*>(p[1] + t * x_step) + plain::scale(y, a);
        reinterpret_cast<T*>(p[2])[t] = y;
      }
    });
  });
}

Term recurrence_tangent(Rule& rule) {
  const bool reverse = is_reverse(rule.attrs);
  Term right = tangent_or_zeros(rule, 1);
  if (rule.active(0)) right = right + rule.tangent(0) * previous(rule.out(), reverse);
  const Meta m = rule.out_meta();
  return recurrence(rule.in(0), cast(broadcast_to(right, m.shape), m.dtype), reverse);
}

void recurrence_adjoint(Rule& rule, Term g) {
  const bool reverse = is_reverse(rule.attrs);
  const Term w = recurrence_back(rule.in(0), g, reverse);
  if (rule.active(1)) rule.add(1, fit(w, rule.in_meta(1)));
  if (rule.active(0)) rule.add(0, fit(w * previous(rule.out(), reverse), rule.in_meta(0)));
}

// ---- cumprod; attribute: how many axes come after the one it runs along ----

std::size_t axis_of(const Dims& shape, Attrs attrs) {
  return shape.size() - 1 - static_cast<std::size_t>(attrs.empty() ? 0 : attrs[0]);
}

Meta cumprod_shape(std::span<const Meta> in, Attrs attrs) {
  const auto ndim = static_cast<std::int64_t>(in[0].shape.size());
  require(attrs.size() <= 1 && ndim > 0, "cumprod: an operand of at least one axis");
  require(attrs.empty() || (attrs[0] >= 0 && attrs[0] < ndim), "cumprod: axis out of range");
  return {matrix_dtype("cumprod", in[0].dtype), in[0].shape};
}

// With the axis last.
Array along_last(const Array& a, Attrs attrs) {
  return swap_axes_view(a, axis_of(a.shape(), attrs), a.shape().size() - 1);
}
Term along_last(Term x, Attrs attrs) {
  Dims order(x.algebra->meta(x).shape.size());
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<std::int64_t>(k);
  std::swap(order[axis_of(order, attrs)], order[order.size() - 1]);
  return transpose(x, order);
}

void cumprod_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  const Array from = along_last(in[0], attrs), to = along_last(out, attrs);
  const std::int64_t n = to.shape().back(), step = from.strides().back(),
                     result_step = to.strides().back();
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_row<2>({&from, &to}, [&](char* const* p) {
      T product = *reinterpret_cast<T*>(p[0]);
      *reinterpret_cast<T*>(p[1]) = product;
      for (std::int64_t t = 1; t < n; ++t) {
        product = product * *reinterpret_cast<T*>(p[0] + t * step);
        *reinterpret_cast<T*>(p[1] + t * result_step) = product;
      }
    });
  });
}

// The products of all before each, along the last axis: 1, r[0], r[1], ...
Term products_before(Rule& rule) {
  const Term r = along_last(rule.out(), rule.attrs);
  const Meta m = rule.algebra.meta(r);
  const std::int64_t n = m.shape.back();
  const Array first = Array::zeros(m.dtype, {n});
  if (n > 0) dispatch_float(m.dtype, [&](auto zero) { first.at<decltype(zero)>(0) = 1; });
  return previous(r, false) + rule.algebra.constant(first);
}

Term cumprod_tangent(Rule& rule) {
  const Term x = along_last(rule.in(0), rule.attrs), t = along_last(rule.tangent(0), rule.attrs);
  return along_last(recurrence(x, scale(t, products_before(rule)), false), rule.attrs);
}
void cumprod_adjoint(Rule& rule, Term adjoint) {
  const Term x = along_last(rule.in(0), rule.attrs), g = along_last(adjoint, rule.attrs);
  const Term w = scale(recurrence_back(x, g, false), products_before(rule));
  rule.add(0, along_last(w, rule.attrs));
}

}  // namespace

const Rules rules::recurrence = {.shape = recurrence_shape,
                                 .value = recurrence_value,
                                 .tangent = recurrence_tangent,
                                 .adjoint = recurrence_adjoint,
                                 .needs = {1u << 0 | kNeedsOut, 1u << 0, 0},
                                 .lanes = Lanes::aligned};

const Rules rules::cumprod = {.shape = cumprod_shape,
                              .value = cumprod_value,
                              .tangent = cumprod_tangent,
                              .adjoint = cumprod_adjoint,
                              .needs = {1u << 0 | kNeedsOut, 0, 0},
                              .lanes = Lanes::aligned};

}  // namespace tapegrad

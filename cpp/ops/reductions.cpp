// Rules of the reductions over axes: sum, prod, max, min; and of cumsum.
#include "ops/fold.hpp"
#include "ops/parts.hpp"

namespace tapegrad {
namespace {

// The attributes of a reduction: keepdims, then ascending axes.
Dims axes_of(Attrs attrs) { return Dims(attrs.subspan(1)); }

bool contains(const Dims& axes, std::size_t d) {
  return std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(d)) != axes.end();
}

// The shape with the reduced axes kept at length 1, or left out.
Dims reduced_shape(const Dims& shape, const Dims& axes, bool keepdims) {
  Dims reduced;
  for (std::size_t d = 0; d < shape.size(); ++d)
    if (!contains(axes, d)) reduced.push_back(shape[d]);
    else if (keepdims) reduced.push_back(1);
  return reduced;
}

Meta reduce_shape(std::span<const Meta> in, Attrs attrs) {
  require(!attrs.empty(), "a reduction's attributes: keepdims, axes");
  const Dims axes = axes_of(attrs);
  std::int64_t previous = -1;
  for (auto axis : axes) {
    require(axis > previous && axis < in[0].shape.ndim(),
            "a reduction's axes must ascend, in range");
    previous = axis;
  }
  return {in[0].dtype, reduced_shape(in[0].shape, axes, attrs[0] != 0)};
}

// Sums and products of booleans count in int64.
Meta accumulate_shape(std::span<const Meta> in, Attrs attrs) {
  Meta out = reduce_shape(in, attrs);
  if (out.dtype == DType::b8) out.dtype = DType::i64;
  return out;
}

// Strides of the result for each axis of the operand, 0 where it is reduced.
Dims result_strides(const Dims& shape, const Dims& axes, std::int64_t item) {
  Dims strides(shape.size(), 0);
  for (std::size_t d = shape.size(); d-- > 0;)
    if (!contains(axes, d)) {
      strides[d] = item;
      item *= shape[d];
    }
  return strides;
}

template <template <class, class> class Fold>
void accumulate_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  const Dims strides = result_strides(in[0].shape(), axes_of(attrs), itemsize(out.dtype()));
  dispatch(in[0].dtype(), [&](auto zero) {
    using In = decltype(zero);
    using Acc = std::conditional_t<std::is_same_v<In, bool>, std::int64_t, In>;
    fold::fold_into<Fold<In, Acc>, In, Acc>(in[0], strides, out);
  });
}

Term with_kept_axes(Rule& rule, Term reduced) {
  return reshape(reduced, reduced_shape(rule.in_meta(0).shape, axes_of(rule.attrs), true));
}
Term spread(Rule& rule, Term reduced) {  // to the shape of the operand
  return broadcast_to(with_kept_axes(rule, reduced), rule.in_meta(0).shape);
}
Term sum_like(Rule& rule, Term x) {  // over the axes of this reduction
  return sum(x, axes_of(rule.attrs), rule.attrs[0] != 0);
}

void sum_adjoint(Rule& rule, Term adjoint) { rule.add(0, spread(rule, adjoint)); }

void reduce_shift(Attrs attrs, const Meta&, Dims& shifted) {
  shifted = attrs;
  for (std::size_t i = 1; i < shifted.size(); ++i) ++shifted[i];
}

// prod -------------------------------------------------------------------------------------------

// Along the last axis, the product of all elements but each one's own, without division: right with
// any number of zeros. Pairs are multiplied, the exclusive products of the pairs found, and each
// element of a pair takes its neighbour: linear work.
Term exclusive_products(Term x) {
  const Dims shape = x.algebra->meta(x).shape;
  const std::int64_t n = shape.back(), pairs = (n + 1) / 2;
  if (n == 0) return x;
  if (n == 1) return full_like(x, 1);
  const std::int64_t last = static_cast<std::int64_t>(shape.size()) - 1;
  const std::int64_t along_last[] = {last}, along_new[] = {last + 1};
  if (n % 2 == 1) {
    const Term one = full_like(slice_last(x, 0, 1, 1), 1);
    x = x.algebra->apply(Op::concatenate, {x, one}, along_last);
  }
  const Term even = slice_last(x, 0, 2, pairs), odd = slice_last(x, 1, 2, pairs);
  const Term others = exclusive_products(even * odd);
  const Term woven = x.algebra->apply(Op::concatenate, {others * odd, others * even}, along_new);
  Dims padded = shape;
  padded[padded.size() - 1] = 2 * pairs;
  const Term all = reshape(woven, padded);
  return n % 2 == 1 ? slice_last(all, 0, 1, n) : all;
}

// d prod / d x, in the shape of x: the reduced axes become one last axis and go back.
Term product_partial(Rule& rule) {
  const Dims shape = rule.in_meta(0).shape, axes = axes_of(rule.attrs);
  Dims order, moved, flat;
  std::int64_t n = 1;
  for (bool reduced : {false, true})
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (contains(axes, d) != reduced) continue;
      order.push_back(static_cast<std::int64_t>(d));
      moved.push_back(shape[d]);
      if (reduced) n *= shape[d];
      else flat.push_back(shape[d]);
    }
  flat.push_back(n);
  Dims inverse(order.size());
  for (std::size_t d = 0; d < order.size(); ++d) inverse[order[d]] = static_cast<std::int64_t>(d);
  const Term partial = exclusive_products(reshape(transpose(rule.in(0), order), flat));
  return transpose(reshape(partial, moved), inverse);
}

Term prod_tangent(Rule& rule) {
  return sum_like(rule, scale(rule.tangent(0), product_partial(rule)));
}
void prod_adjoint(Rule& rule, Term adjoint) {
  rule.add(0, scale(spread(rule, adjoint), product_partial(rule)));
}

// max, min ---------------------------------------------------------------------------------------

template <int sign>
Meta extremum_shape(std::span<const Meta> in, Attrs attrs) {
  Meta out = reduce_shape(in, attrs);
  if (out.dtype == DType::c128) throw Unsupported("max and min of complex numbers have no rule");
  for (auto axis : axes_of(attrs))
    require(in[0].shape[axis] > 0,
            sign > 0 ? "zero-size array to reduction operation maximum which has no identity"
                     : "zero-size array to reduction operation minimum which has no identity");
  return out;
}

template <int sign>
void extremum_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  const Dims strides = result_strides(in[0].shape(), axes_of(attrs), itemsize(out.dtype()));
  dispatch(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!std::is_same_v<T, Complex>)
      fold::fold_into<fold::Extremum<T, sign>, T, T>(in[0], strides, out);
  });
}

// Ties share equally; where the result is NaN the partial is NaN.
Term extremum_partial(Rule& rule) {
  const Term mask = cast(rule.in(0) == with_kept_axes(rule, rule.out()), rule.in_meta(0).dtype);
  return mask / sum(mask, axes_of(rule.attrs), true);
}
Term extremum_tangent(Rule& rule) {
  return sum_like(rule, scale(extremum_partial(rule), rule.tangent(0)));
}
void extremum_adjoint(Rule& rule, Term adjoint) {
  rule.add(0, scale(extremum_partial(rule), spread(rule, adjoint)));
}

// cumsum -----------------------------------------------------------------------------------------

Meta cumsum_shape(std::span<const Meta> in, Attrs attrs) {
  require(attrs.size() == 2 && attrs[0] >= 0 && attrs[0] < in[0].shape.ndim(),
          "cumsum: axis out of range");
  return {in[0].dtype == DType::b8 ? DType::i64 : in[0].dtype, in[0].shape};
}

// `n` rows of `width` numbers: each becomes the sum of itself and those before it, or after it.
template <class In, class Acc>
void cumulate(const In* x, Acc* out, std::int64_t n, std::int64_t width, bool reverse) {
  const std::int64_t step = reverse ? -width : width, first = reverse ? (n - 1) * width : 0;
  x += first;
  out += first;
  for (std::int64_t i = 0; i < width; ++i) out[i] = static_cast<Acc>(x[i]);
  for (std::int64_t k = 1; k < n; ++k) {
    const Acc* previous = out;
    x += step;
    out += step;
    for (std::int64_t i = 0; i < width; ++i)
      out[i] = fold::plus(previous[i], static_cast<Acc>(x[i]));
  }
}

void cumsum_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  const Array x = contiguous(in[0]);
  const auto axis = static_cast<std::size_t>(attrs[0]);
  const std::int64_t n = x.shape()[axis];
  const std::int64_t width =
      Dims(std::span<const std::int64_t>(x.shape()).subspan(axis + 1)).product();
  dispatch(x.dtype(), [&](auto zero) {
    using In = decltype(zero);
    using Acc = std::conditional_t<std::is_same_v<In, bool>, std::int64_t, In>;
    for (std::int64_t start = 0; start < x.size(); start += n * width)
      cumulate(x.ptr<In>() + start, out.ptr<Acc>() + start, n, width, attrs[1] != 0);
  });
}

void cumsum_adjoint(Rule& rule, Term adjoint) {
  const std::int64_t flipped[] = {rule.attrs[0], !rule.attrs[1]};
  rule.add(0, rule.algebra.apply(Op::cumsum, {adjoint}, flipped));
}

void cumsum_shift(Attrs attrs, const Meta&, Dims& shifted) {
  shifted = Dims{attrs[0] + 1, attrs[1]};
}

}  // namespace

namespace rules {

const Rules sum = {
    .shape = accumulate_shape,
    .value = accumulate_value<fold::Sum>,
    .tangent = linear_tangent,
    .adjoint = sum_adjoint,
    .lanes = Lanes::shifted,
    .shift = reduce_shift,
};
const Rules prod = {
    .shape = accumulate_shape,
    .value = accumulate_value<fold::Product>,
    .tangent = prod_tangent,
    .adjoint = prod_adjoint,
    .needs = {1u << 0, 0, 0},
    .lanes = Lanes::shifted,
    .shift = reduce_shift,
};
const Rules max = {
    .shape = extremum_shape<1>,
    .value = extremum_value<1>,
    .tangent = extremum_tangent,
    .adjoint = extremum_adjoint,
    .needs = {1u << 0 | kNeedsOut, 0, 0},
    .lanes = Lanes::shifted,
    .shift = reduce_shift,
};
const Rules min = {
    .shape = extremum_shape<-1>,
    .value = extremum_value<-1>,
    .tangent = extremum_tangent,
    .adjoint = extremum_adjoint,
    .needs = {1u << 0 | kNeedsOut, 0, 0},
    .lanes = Lanes::shifted,
    .shift = reduce_shift,
};
const Rules cumsum = {
    .shape = cumsum_shape,
    .value = cumsum_value,
    .tangent = linear_tangent,
    .adjoint = cumsum_adjoint,
    .lanes = Lanes::shifted,
    .shift = cumsum_shift,
};

}  // namespace rules
}  // namespace tapegrad

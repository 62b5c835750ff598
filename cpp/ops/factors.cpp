// factor(packed), attributes start, count, mark: one part of a packed factorisation, flat.
#include "ops/packed.hpp"

namespace tapegrad {
namespace {

Meta factor_shape(std::span<const Meta> in, Attrs attrs) {
  require(attrs.size() == 3 && !in[0].shape.empty(), "factor: start, count and mark");
  const std::int64_t length = in[0].shape.back() - kMarks;
  const bool inside =
      attrs[0] >= 0 && attrs[1] >= 0 && attrs[0] <= length && attrs[1] <= length - attrs[0];
  require(inside && attrs[2] >= 0 && attrs[2] < kMarks, "factor: out of bounds");
  Dims shape = leading_axes(in[0].shape, 1);
  shape.push_back(attrs[1]);
  return {in[0].dtype, shape};
}

Array factor_view(const Array& packed, Attrs attrs) {
  Dims slices;
  for (int d = 0; d + 1 < packed.ndim(); ++d)
    for (const std::int64_t v : {std::int64_t{0}, std::int64_t{1}, packed.shape()[d]})
      slices.push_back(v);
  for (const std::int64_t v : {attrs[0], std::int64_t{1}, attrs[1]}) slices.push_back(v);
  return slice_view(packed, slices);
}

Term factor_tangent(Rule& rule) {
  return rule.algebra.apply(Op::factor, {rule.tangent(0)}, rule.attrs);
}

void factor_adjoint(Rule& rule, Term g) {
  const Meta& packed = rule.in_meta(0);
  const std::int64_t length = packed.shape.back();
  const Array marks = Array::zeros(packed.dtype, {length});
  dispatch_float(packed.dtype, [&](auto zero) {
    marks.at<decltype(zero)>(length - kMarks + rule.attrs[2]) = decltype(zero)(1);
  });
  const Term part = unslice_last(g, rule.attrs[0], 1, length);
  rule.add(0, part + rule.algebra.constant(marks));
}

}  // namespace

const Rules rules::factor = {.shape = factor_shape,
                             .view = factor_view,
                             .tangent = factor_tangent,
                             .adjoint = factor_adjoint,
                             .lanes = Lanes::aligned};

}  // namespace tapegrad

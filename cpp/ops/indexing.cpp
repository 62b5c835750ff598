// Rules of the ops that re-index by position: item, item_set, gather, scatter_add, put. Indices are
// flat, in C order, and in bounds (Python's index arithmetic is done by the caller).
//
// Directions: all operands may carry `lead` common leading axes, which stay in front; indices then
// count within the axes after them. `lead` is the last attribute, 0 where it is left out.
#include "base/iterate.hpp"
#include "ops/parts.hpp"

namespace tapegrad {
namespace {

Dims leading(const Dims& shape, std::size_t lead) {
  require(lead <= shape.size(), "indexing: too few axes for the directions");
  return Dims(std::span<const std::int64_t>(shape).first(lead));
}
Dims trailing(const Dims& shape, std::size_t lead) {
  return Dims(std::span<const std::int64_t>(shape).subspan(lead));
}

// Byte offset of a flat index into the axes of a strided array from `lead` on.
class Locator {
 public:
  Locator(const Array& a, std::size_t lead) {
    for (std::size_t d = lead; d < a.shape().size(); ++d) {
      const std::int64_t n = a.shape()[d], stride = a.strides()[d];
      if (n == 1) continue;
      const bool merge = !shape_.empty() && strides_.back() == stride * n;
      if (!merge) {
        shape_.push_back(1);
        strides_.push_back(0);
      }
      shape_[shape_.size() - 1] *= n;
      strides_[shape_.size() - 1] = stride;
    }
    step_ = shape_.empty() ? 0 : strides_.back();
  }
  // Whether a flat index is a number of equal steps.
  bool is_linear() const { return shape_.size() <= 1; }
  std::int64_t step() const { return step_; }
  std::int64_t operator()(std::int64_t flat) const {
    if (is_linear()) return flat * step_;
    std::int64_t offset = 0;
    for (std::size_t d = shape_.size(); d-- > 1; flat /= shape_[d])
      offset += flat % shape_[d] * strides_[d];
    return offset + flat * strides_[0];
  }

 private:
  Dims shape_, strides_;
  std::int64_t step_ = 0;
};

// As a Locator that is linear, and one of elements without gaps.
struct Steps {
  std::int64_t step;
  std::int64_t operator()(std::int64_t flat) const { return flat * step; }
};
template <class T>
struct Dense {
  std::int64_t operator()(std::int64_t flat) const { return flat * std::int64_t{sizeof(T)}; }
};
template <class Part, class Whole, class Index>
struct Places {
  Part part;
  Whole whole;
  Index index;
};

Walker lead_walker(const Array& a, std::size_t lead) {
  return {a.data(), leading(a.strides(), lead)};
}

// Of one direction: p points to part, whole and indices.
template <class T, class At, class F>
void for_each_index(const At& at, char* const* p, std::int64_t count, std::int64_t size, F&& f) {
  char *const part = p[0], *const whole = p[1], *const indices = p[2];
  const auto index = [&](std::int64_t i) {
    return *reinterpret_cast<const std::int64_t*>(indices + at.index(i));
  };
  require(all_within(count, size, index), "flat index out of bounds");
  for (std::int64_t i = 0; i < count; ++i)
    f(*reinterpret_cast<T*>(part + at.part(i)), *reinterpret_cast<T*>(whole + at.whole(index(i))));
}

// Calls f(element of part, element of whole it stands for) for each index. Shapes: part and indices
// lead + I, whole lead + S.
template <class T, class F>
void for_each_pair(const Array& part, const Array& whole, const Array& indices, std::size_t lead,
                   F&& f) {
  const std::int64_t count = trailing(indices.shape(), lead).product();
  const std::int64_t size = trailing(whole.shape(), lead).product();
  const auto for_directions = [&](const auto& at) {
    if (lead == 0) {
      char* const p[] = {part.data(), whole.data(), indices.data()};
      return for_each_index<T>(at, p, count, size, f);
    }
    for_each_run<3>(leading(whole.shape(), lead),
                    {lead_walker(part, lead), lead_walker(whole, lead), lead_walker(indices, lead)},
                    [&](char** p, std::intptr_t n, const std::intptr_t* s) {
                      for (std::intptr_t k = 0; k < n;
                           ++k, p[0] += s[0], p[1] += s[1], p[2] += s[2])
                        for_each_index<T>(at, p, count, size, f);
                    });
  };
  if (part.contiguous() && whole.contiguous() && indices.contiguous())
    return for_directions(Places<Dense<T>, Dense<T>, Dense<std::int64_t>>{});
  const Locator at_part(part, lead), at_whole(whole, lead), at_index(indices, lead);
  if (at_part.is_linear() && at_whole.is_linear() && at_index.is_linear())
    for_directions(
        Places<Steps, Steps, Steps>{{at_part.step()}, {at_whole.step()}, {at_index.step()}});
  else
    for_directions(
        Places<const Locator&, const Locator&, const Locator&>{at_part, at_whole, at_index});
}

void scatter_into(const Array& whole, const Array& part, const Array& indices, std::size_t lead) {
  dispatch_float(whole.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_pair<T>(part, whole, indices, lead, [](const T& p, T& w) { w += p; });
  });
}

void require_indices(const Meta& indices) {
  if (indices.dtype != DType::i64) throw TypeFault("indices must be int64");
}

// item, item_set ---------------------------------------------------------------------------------

std::size_t item_lead(Attrs attrs) {
  return attrs.size() > 1 ? static_cast<std::size_t>(attrs[1]) : 0;
}

Meta item_shape(std::span<const Meta> in, Attrs attrs) {
  const std::size_t lead = item_lead(attrs);
  const Dims shape = leading(in[0].shape, lead);
  require(attrs[0] >= 0 && attrs[0] < trailing(in[0].shape, lead).product(),
          "flat index out of bounds");
  return {in[0].dtype, shape};
}

// The element as an array without axes, or with the leading ones.
Array item_view(const Array& a, Attrs attrs) {
  const std::size_t lead = item_lead(attrs);
  return a.view(leading(a.shape(), lead), leading(a.strides(), lead),
                a.data() + Locator(a, lead)(attrs[0]));
}
void item_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (item_lead(attrs) > 0) return copy_into(item_view(in[0], attrs), out);
  std::memcpy(out.data(), in[0].data() + Locator(in[0], 0)(attrs[0]),
              static_cast<std::size_t>(itemsize(out.dtype())));
}
void item_adjoint(Rule& rule, Term adjoint) {
  const Term nothing = zeros(rule.algebra, rule.in_meta(0));
  rule.add(0, rule.algebra.apply(Op::item_set, {nothing, adjoint}, rule.attrs));
}
void item_accumulate(const Array& into, const Array& adjoint, std::span<const Array>, Attrs attrs) {
  add_into(adjoint, item_view(into, attrs));
}

Meta item_set_shape(std::span<const Meta> in, Attrs attrs) {
  require(in[1].shape == item_shape(in, attrs).shape, "an element can only be set to a scalar");
  return {promote(in[0].dtype, in[1].dtype), in[0].shape};
}
void item_set_update(const Array& base, std::span<const Array> rest, Attrs attrs) {
  const Meta metas[] = {base.meta(), rest[0].meta()};
  item_set_shape(metas, attrs);
  copy_into(rest[0], item_view(base, attrs));
}
Term item_set_tangent(Rule& rule) {
  return rule.algebra.apply(rule.op, {tangent_or_zeros(rule, 0), tangent_or_zeros(rule, 1)},
                            rule.attrs);
}
void item_set_adjoint(Rule& rule, Term adjoint) {
  const Meta base = rule.in_meta(0), v = rule.in_meta(1);
  if (rule.active(1))
    rule.add(1, cast(rule.algebra.apply(Op::item, {adjoint}, rule.attrs), v.dtype));
  if (!rule.active(0)) return;
  const Term nothing = zeros(rule.algebra, {rule.out_meta().dtype, v.shape});
  rule.add(0, cast(rule.algebra.apply(rule.op, {adjoint, nothing}, rule.attrs), base.dtype));
}
void item_shift(Attrs attrs, const Meta&, Dims& shifted) {
  shifted = Dims{attrs[0], static_cast<std::int64_t>(item_lead(attrs)) + 1};
}

// gather, scatter_add, put -----------------------------------------------------------------------

std::size_t last_lead(Attrs attrs) {
  return attrs.empty() ? 0 : static_cast<std::size_t>(attrs.back());
}
Dims lead_attrs(std::size_t lead) { return lead ? Dims{static_cast<std::int64_t>(lead)} : Dims{}; }

Meta gather_shape(std::span<const Meta> in, Attrs attrs) {
  require_indices(in[1]);
  const std::size_t lead = last_lead(attrs);
  require(leading(in[0].shape, lead) == leading(in[1].shape, lead),
          "gather: indices and operand differ in the directions");
  return {in[0].dtype, in[1].shape};
}
void gather_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  dispatch(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_pair<T>(out, in[0], in[1], last_lead(attrs), [](T& p, const T& w) { p = w; });
  });
}
Term gather_tangent(Rule& rule) {
  return rule.algebra.apply(rule.op, {rule.tangent(0), rule.in(1)}, rule.attrs);
}
// Attributes of scatter_add: the shape of the target; a leading axis of directions, of length K, is
// written -1 - K.
void gather_adjoint(Rule& rule, Term adjoint) {
  Dims target = rule.in_meta(0).shape;
  for (std::size_t d = 0; d < last_lead(rule.attrs); ++d) target[d] = -1 - target[d];
  rule.add(0, rule.algebra.apply(Op::scatter_add, {adjoint, rule.in(1)}, target));
}
void gather_accumulate(const Array& into, const Array& adjoint, std::span<const Array> rest,
                       Attrs attrs) {
  scatter_into(into, adjoint, rest[0], last_lead(attrs));
}
void lead_shift(Attrs attrs, const Meta&, Dims& shifted) {
  shifted = lead_attrs(last_lead(attrs) + 1);
}

std::size_t scatter_lead(Attrs attrs) {
  std::size_t lead = 0;
  while (lead < attrs.size() && attrs[lead] < 0) ++lead;
  return lead;
}
Meta scatter_add_shape(std::span<const Meta> in, Attrs attrs) {
  require_indices(in[1]);
  require(in[0].shape == in[1].shape, "scatter_add: indices of another shape");
  Dims target(attrs);
  const std::size_t lead = scatter_lead(attrs);
  for (std::size_t d = 0; d < lead; ++d) target[d] = -1 - attrs[d];
  require(leading(in[0].shape, lead) == leading(target, lead),
          "scatter_add: target and operand differ in the directions");
  return {in[0].dtype, target};
}
void scatter_add_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  std::memset(out.data(), 0, static_cast<std::size_t>(out.nbytes()));
  scatter_into(out, in[0], in[1], scatter_lead(attrs));
}
void scatter_add_adjoint(Rule& rule, Term adjoint) {
  const Dims attrs = lead_attrs(scatter_lead(rule.attrs));
  rule.add(0, rule.algebra.apply(Op::gather, {adjoint, rule.in(1)}, attrs));
}
void scatter_add_shift(Attrs attrs, const Meta& in, Dims& shifted) {
  shifted = attrs;
  shifted.insert(0, -1 - in.shape[0]);
}

Meta put_shape(std::span<const Meta> in, Attrs attrs) {
  require_indices(in[2]);
  const std::size_t lead = last_lead(attrs);
  require(in[1].shape == in[2].shape && leading(in[0].shape, lead) == leading(in[1].shape, lead),
          "put: values and indices must have one shape");
  return {promote(in[0].dtype, in[1].dtype), in[0].shape};
}
void put_update(const Array& base, std::span<const Array> rest, Attrs attrs) {
  const Meta metas[] = {base.meta(), rest[0].meta(), rest[1].meta()};
  put_shape(metas, attrs);
  dispatch(base.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_pair<T>(rest[0], base, rest[1], last_lead(attrs), [](const T& p, T& w) { w = p; });
  });
}
Term put_tangent(Rule& rule) {
  return rule.algebra.apply(
      rule.op, {tangent_or_zeros(rule, 0), tangent_or_zeros(rule, 1), rule.in(2)}, rule.attrs);
}
void put_adjoint(Rule& rule, Term adjoint) {
  const Meta base = rule.in_meta(0), v = rule.in_meta(1);
  const Term indices = rule.in(2);
  if (rule.active(1))
    rule.add(1, cast(rule.algebra.apply(Op::gather, {adjoint, indices}, rule.attrs), v.dtype));
  if (!rule.active(0)) return;
  const Term nothing = zeros(rule.algebra, {rule.out_meta().dtype, v.shape});
  rule.add(0,
           cast(rule.algebra.apply(rule.op, {adjoint, nothing, indices}, rule.attrs), base.dtype));
}

}  // namespace

namespace rules {

const Rules item = {
    .shape = item_shape,
    .value = item_value,
    .tangent = linear_tangent,
    .adjoint = item_adjoint,
    .lanes = Lanes::shifted,
    .shift = item_shift,
    .accumulate = item_accumulate,
};
const Rules item_set = {
    .shape = item_set_shape,
    .update = item_set_update,
    .tangent = item_set_tangent,
    .adjoint = item_set_adjoint,
    .lanes = Lanes::shifted,
    .shift = item_shift,
};
const Rules gather = {
    .shape = gather_shape,
    .value = gather_value,
    .tangent = gather_tangent,
    .adjoint = gather_adjoint,
    .needs = {1u << 1, 0, 0},
    .lanes = Lanes::shifted,
    .shift = lead_shift,
    .accumulate = gather_accumulate,
};
const Rules scatter_add = {
    .shape = scatter_add_shape,
    .value = scatter_add_value,
    .tangent = gather_tangent,
    .adjoint = scatter_add_adjoint,
    .needs = {1u << 1, 0, 0},
    .lanes = Lanes::shifted,
    .shift = scatter_add_shift,
};
const Rules put = {
    .shape = put_shape,
    .update = put_update,
    .tangent = put_tangent,
    .adjoint = put_adjoint,
    .needs = {1u << 2, 1u << 2, 0},
    .lanes = Lanes::shifted,
    .shift = lead_shift,
};

}  // namespace rules
}  // namespace tapegrad

// The algebra of lanes.
#include "sweeps/lanes.hpp"

#include <algorithm>

#include "ops/custom.hpp"
#include "ops/parts.hpp"

namespace tapegrad {
namespace {

// Start, step and length of each axis for one element of an array with lanes in front.
Dims element_slices(const Dims& shape, std::int64_t lanes, std::int64_t flat) {
  Dims slices(3 * (shape.size() + 1), 1);
  slices[0] = 0;
  slices[2] = lanes;
  for (std::size_t d = shape.size(); d-- > 0; flat /= shape[d])
    slices[3 * (d + 1)] = flat % shape[d];
  return slices;
}

bool is_leaf(Op op) { return kind_of(op) == OpKind::leaf; }

}  // namespace

// The operands of an op, in the algebra below.
struct LaneAlgebra::Operands {
  std::vector<Term> terms;
  std::vector<bool> batched;
  std::vector<Dims> shapes;  // of one lane
  std::size_t size() const { return terms.size(); }
};

Term LaneAlgebra::lifted(Term t, std::uint32_t bit) {
  if (t.is_literal()) return t;
  ensure(bit == 0 || (t.id & (kLaneBit | kOtherBits)) == 0, "few enough nodes to mark the lanes");
  return {this, t.id | bit};
}

Term LaneAlgebra::below(Term t) const {
  if (t.is_literal()) return t;
  return {&below_, is_batched(t) ? t.id & ~kLaneBit : t.id};
}

Meta LaneAlgebra::meta(Term t) const {
  if (t.is_literal()) return {DType::f64, {}};
  Meta m = below_.meta(below(t));
  if (is_batched(t)) m.shape.erase(0);
  return m;
}

Term LaneAlgebra::repeated(Term t) {
  if (t.is_literal()) t = below_.constant(Array::scalar(t.literal));
  return tapegrad::broadcast_to(t, with_lanes(below_.meta(t).shape));
}

Term LaneAlgebra::spread(Term t) { return is_batched(t) ? below(t) : repeated(below(t)); }

Term LaneAlgebra::apply(Op op, std::span<const Term> in, Attrs attrs) {
  const bool any = std::any_of(in.begin(), in.end(), [&](Term t) { return is_batched(t); });
  Operands operands;
  operands.terms.reserve(in.size());
  for (Term t : in) operands.terms.push_back(below(t));
  if (!any) return same(below_.apply(op, operands.terms, attrs));
  for (Term t : in) {
    operands.batched.push_back(is_batched(t));
    operands.shapes.push_back(meta(t).shape);
  }
  if (is_leaf(op)) return batched(below_.apply(op, operands.terms, attrs));
  if (is_elementwise(op)) return apply_aligned(op, operands, attrs);
  const bool few_axes = std::any_of(operands.shapes.begin(), operands.shapes.end(),
                                    [](const Dims& s) { return s.size() < 2; });
  // Lanes that are there already (an attribute more) make these ops shift as any other.
  if (op == Op::item && attrs.size() == 1) return item(operands, attrs);
  if (op == Op::item_set && attrs.size() == 1) return item_set(operands, attrs);
  if (op == Op::broadcast_to && (attrs.empty() || attrs[0] >= 0))
    return broadcast(operands.terms[0], Dims(attrs));
  if (op == Op::matmul && few_axes) return matmul(operands);
  if (op == Op::gather && attrs.empty() && !operands.batched[0])
    return batched(below_.apply(op, operands.terms, attrs));
  if (op == Op::custom) return custom(operands, attrs);
  switch (rules_of(op).lanes) {
    case Lanes::aligned: return apply_aligned(op, operands, attrs);
    case Lanes::shifted: return apply_shifted(op, operands, attrs);
    default: return apply_lane_by_lane(op, operands, attrs);
  }
}

// Axes of length 1 behind the lanes, so that broadcasting aligns what follows them.
void LaneAlgebra::align(Operands& in) {
  std::size_t ndim = 0;
  for (auto& shape : in.shapes) ndim = std::max(ndim, shape.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!in.batched[i] || in.shapes[i].size() == ndim) continue;
    Dims shape = in.shapes[i];
    while (shape.size() < ndim) shape.insert(0, 1);
    in.terms[i] = tapegrad::reshape(in.terms[i], with_lanes(shape));
  }
}

Term LaneAlgebra::apply_aligned(Op op, Operands& in, Attrs attrs) {
  align(in);
  return batched(below_.apply(op, in.terms, attrs));
}

Term LaneAlgebra::apply_shifted(Op op, Operands& in, Attrs attrs) {
  for (std::size_t i = 0; i < in.size(); ++i)
    if (!in.batched[i]) in.terms[i] = repeated(in.terms[i]);
  Dims shifted;
  rules_of(op).shift(attrs, below_.meta(in.terms[0]), shifted);
  return batched(below_.apply(op, in.terms, shifted));
}

Term LaneAlgebra::apply_lane_by_lane(Op op, Operands& in, Attrs attrs) {
  std::vector<Term> results, operands(in.size());
  for (std::int64_t k = 0; k < lanes_; ++k) {
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (!in.batched[i]) {
        operands[i] = in.terms[i];
        continue;
      }
      Dims slices{k, 1, 1};
      for (auto n : in.shapes[i])
        for (auto v : {std::int64_t{0}, std::int64_t{1}, n}) slices.push_back(v);
      const Term one = below_.apply(Op::slice, {in.terms[i]}, slices);
      operands[i] = tapegrad::reshape(one, in.shapes[i]);
    }
    const Term one = below_.apply(op, operands, attrs);
    Dims row = below_.meta(one).shape;
    row.insert(0, 1);
    results.push_back(tapegrad::reshape(one, row));
  }
  const std::int64_t axis[] = {0};
  return batched(below_.apply(Op::concatenate, results, axis));
}

// A slice, because a node keeps one number for an index and has no room for the lanes.
Term LaneAlgebra::item(Operands& in, Attrs attrs) {
  const Dims slices = element_slices(in.shapes[0], lanes_, attrs[0]);
  return batched(tapegrad::reshape(below_.apply(Op::slice, {in.terms[0]}, slices), {lanes_}));
}

Term LaneAlgebra::item_set(Operands& in, Attrs attrs) {
  const Term base = in.batched[0] ? in.terms[0] : repeated(in.terms[0]);
  const Term value = in.batched[1] ? in.terms[1] : repeated(in.terms[1]);
  const Dims slices = element_slices(in.shapes[0], lanes_, attrs[0]);
  const Term part = tapegrad::reshape(value, with_lanes(Dims(in.shapes[0].size(), 1)));
  return batched(below_.apply(Op::slice_set, {base, part}, slices));
}

Term LaneAlgebra::broadcast(Term x, const Dims& shape) {
  Dims inner = below_.meta(x).shape;
  while (inner.size() < shape.size() + 1) inner.insert(1, 1);
  return batched(tapegrad::broadcast_to(tapegrad::reshape(x, inner), with_lanes(shape)));
}

// Vectors as matrices: a row on the left, a column on the right.
Term LaneAlgebra::matmul(Operands& in) {
  const bool row = in.shapes[0].size() == 1, column = in.shapes[1].size() == 1;
  require(!in.shapes[0].empty() && !in.shapes[1].empty(),
          "matmul: operands need at least one axis; use multiply");
  for (std::size_t i = 0; i < 2; ++i) {
    if (in.shapes[i].size() > 1) continue;
    in.shapes[i].insert(i, 1);
    in.terms[i] =
        tapegrad::reshape(in.terms[i], in.batched[i] ? with_lanes(in.shapes[i]) : in.shapes[i]);
  }
  align(in);
  const Term product = below_.apply(Op::matmul, {in.terms[0], in.terms[1]});
  Dims shape = below_.meta(product).shape;
  if (column) shape.erase(shape.size() - 1);
  if (row) shape.erase(shape.size() - (column ? 1 : 2));
  return batched(tapegrad::reshape(product, shape));
}

// One node whatever the number of lanes: the rule knows the map for all of them.
Term LaneAlgebra::custom(Operands& in, Attrs attrs) {
  const auto rule = custom_rule(attrs)->batched(in.batched, lanes_);
  Meta out = rules_of(Op::custom).shape({}, attrs);
  out.shape.insert(0, lanes_);
  for (Term& t : in.terms)
    if (t.is_literal()) t = below_.constant(Array::scalar(t.literal));
  return batched(below_.apply(Op::custom, in.terms, custom_attrs(*rule, out)));
}

// The elements side by side, with runs of zeros between them.
Term LaneAlgebra::scattered(const Dims& shape,
                            std::vector<std::pair<std::int64_t, Term>> elements) {
  std::stable_sort(elements.begin(), elements.end(),
                   [](auto& a, auto& b) { return a.first < b.first; });
  std::vector<Term> parts;
  auto zeros_until = [&](std::int64_t from, std::int64_t to) {
    if (from == to) return;
    const Array zero = broadcast_view(Array::zeros(DType::f64, {}), {lanes_, to - from});
    parts.push_back(below_.constant(zero));
  };
  std::int64_t next = 0;
  for (std::size_t i = 0; i < elements.size();) {
    const std::int64_t index = elements[i].first;
    Term sum = elements[i++].second;
    while (i < elements.size() && elements[i].first == index) sum = sum + elements[i++].second;
    zeros_until(next, index);
    parts.push_back(spread(sum));
    next = index + 1;
  }
  zeros_until(next, shape.product());
  const std::int64_t axis[] = {1};
  const Term flat = below_.apply(Op::concatenate, parts, axis);
  return batched(tapegrad::reshape(flat, with_lanes(shape)));
}

}  // namespace tapegrad

// The algebra of dual numbers.
#include "sweeps/dual.hpp"

#include "ops/elementwise.hpp"

namespace tapegrad {
namespace {

// An op that is on no tape, as its tangent rule sees it.
class LooseRule final : public Rule {
 public:
  LooseRule(Algebra& algebra, Op op, Attrs attrs, std::span<const Term> in, Term out,
            std::span<const std::optional<Term>> tangents)
      : Rule(algebra, op, attrs, static_cast<int>(in.size())),
        in_(in),
        out_(out),
        tangents_(tangents) {}
  Term in(int i) override { return in_[i]; }
  Term out() override { return out_; }
  Meta in_meta(int i) const override { return algebra.meta(in_[i]); }
  Meta out_meta() const override { return algebra.meta(out_); }
  bool active(int i) const override { return tangents_[i].has_value(); }
  Term tangent(int i) override { return *tangents_[i]; }
  void add(int, Term) override { ensure(false, "a tangent rule adds no adjoint"); }

 private:
  std::span<const Term> in_;
  Term out_;
  std::span<const std::optional<Term>> tangents_;
};

}  // namespace

std::optional<Term> tangent_of(Algebra& algebra, Op op, Attrs attrs, std::span<const Term> in,
                               Term out, std::span<const std::optional<Term>> tangents) {
  bool any = false;
  for (auto& t : tangents) any = any || t.has_value();
  if (!any) return std::nullopt;
  const Meta m = algebra.meta(out);
  if (!is_differentiable(m.dtype)) return std::nullopt;
  if (!is_elementwise(op)) {
    LooseRule rule(algebra, op, attrs, in, out, tangents);
    return rules_of(op).tangent(rule);
  }
  const PartialInfo& info = partial_info(op);
  std::optional<Term> sum;
  bool own = false;  // a slope of 1 gives the tangent itself, which others may read
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!tangents[i] || (info.constant[i] && info.value[i] == 0)) continue;
    const int k = static_cast<int>(i);
    const Term t = *tangents[i], y = in.size() > 1 ? in[1] : Term(0.0);
    if (sum && own) {
      sum = algebra.add_pull(*sum, op, k, t, in[0], y, out);
      continue;
    }
    const Term one = algebra.pull(op, k, t, in[0], y, out);
    own = sum || one.is_literal() || one.id != t.id;
    sum = sum ? *sum + one : one;
  }
  if (!sum) return std::nullopt;
  return broadcast_to(cast(*sum, m.dtype), m.shape);
}

Term DualAlgebra::apply(Op op, std::span<const Term> in, Attrs attrs) {
  std::vector<Term> values(in.size());
  std::vector<std::optional<Term>> tangents(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const Pair p = get(in[i]);
    values[i] = p.v;
    tangents[i] = p.t;
  }
  const Term v = numbers_.apply(op, values, attrs);
  return put({v, tangent_of(numbers_, op, attrs, values, v, tangents)});
}

// One fused loop where everything is float64 without lanes; else the formula on dual terms.
Term DualAlgebra::pull(Op op, int operand, Term adjoint, Term x, Term y, Term r) {
  const PartialInfo& info = partial_info(op);
  if (info.constant[operand] && info.value[operand] == 1) return adjoint;
  const Pair g = get(adjoint);
  const Term terms[] = {x, y, r};
  Array v[3], t[3];
  bool fused = numbers_.lanes() == 0 && numbers_.meta(g.v).dtype == DType::f64;
  Dims shape = numbers_.meta(g.v).shape;
  for (int j = 0; j < 3 && fused; ++j) {
    if (!(info.needs[operand] >> j & 1)) continue;
    const Pair p = get(terms[j]);
    v[j] = p.v.is_literal() ? Array::scalar(p.v.literal) : numbers_.get(p.v).array;
    if (p.t) t[j] = numbers_.get(*p.t).array;
    fused = v[j].dtype() == DType::f64;
    if (fused) broadcast_into(shape, v[j].shape());
  }
  if (!fused) return Algebra::pull(op, operand, adjoint, x, y, r);
  Array out = Array::empty(DType::f64, shape), out_t = Array::empty(DType::f64, shape);
  const Array gt = g.t ? numbers_.get(*g.t).array : Array();
  pull_dual({op, operand, numbers_.get(g.v).array, v[0], v[1], v[2], gt, t[0], t[1], t[2]}, out,
            out_t, false);
  return put({numbers_.put({std::move(out), false}), numbers_.put({std::move(out_t), false})});
}

}  // namespace tapegrad

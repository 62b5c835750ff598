// The algebra of dual numbers over another algebra: a term is a value and, maybe, its tangent.
// Running adjoint rules in it gives forward over reverse.
#pragma once

#include <optional>
#include <vector>

#include "sweeps/numeric.hpp"

namespace tapegrad {

class DualAlgebra final : public Algebra {
 public:
  struct Pair {
    Term v;
    std::optional<Term> t;  // absent: zero
  };
  explicit DualAlgebra(NumericAlgebra& numbers) : numbers_(numbers) {}

  using Algebra::apply;
  Term apply(Op op, std::span<const Term> in, Attrs attrs) override;
  Term pull(Op op, int operand, Term adjoint, Term x, Term y, Term r) override;
  Meta meta(Term t) const override { return numbers_.meta(t.is_literal() ? t : pool_[t.id].v); }
  Term constant(const Array& value) override { return put({numbers_.constant(value), {}}); }

  Term put(Pair pair) {
    pool_.push_back(pair);
    return {this, static_cast<std::uint32_t>(pool_.size() - 1)};
  }
  Pair get(Term t) const { return t.is_literal() ? Pair{t, {}} : pool_[t.id]; }
  std::size_t mark() const { return pool_.size(); }
  void release(std::size_t mark) { pool_.resize(mark); }
  NumericAlgebra& numbers() { return numbers_; }

 private:
  NumericAlgebra& numbers_;
  std::vector<Pair> pool_;
};

// The tangent of `op` applied to `in` with result `out`, in the algebra of those terms.
std::optional<Term> tangent_of(Algebra& algebra, Op op, Attrs attrs, std::span<const Term> in,
                               Term out, std::span<const std::optional<Term>> tangents);

}  // namespace tapegrad

// The algebra of numbers: terms are arrays, ops compute at once. With directions, a term may carry
// a leading axis of K lanes; ops then work on all lanes together.
#pragma once

#include <vector>

#include "ops/rules.hpp"

namespace tapegrad {

struct LaneArray {
  Array array;
  bool batched = false;  // array has a leading axis of lanes
};

class NumericAlgebra final : public Algebra {
 public:
  // lanes 0: no leading axes anywhere.
  explicit NumericAlgebra(std::int64_t lanes = 0) : lanes_(lanes) {}

  using Algebra::apply;
  Term apply(Op op, std::span<const Term> in, Attrs attrs) override;
  Term pull(Op op, int operand, Term adjoint, Term x, Term y, Term r) override;
  Term add_pull(Term sum, Op op, int operand, Term adjoint, Term x, Term y, Term r) override;
  Meta meta(Term term) const override;
  Term constant(const Array& value) override { return put({value, false}); }

  Term put(LaneArray value) {
    pool_.push_back(std::move(value));
    return {this, static_cast<std::uint32_t>(pool_.size() - 1)};
  }
  const LaneArray& get(Term t) const { return pool_[t.id]; }
  // Moves the array out when the pool's handle is not needed again.
  LaneArray take(Term t) { return std::move(pool_[t.id]); }
  // Terms live for one rule: `release` frees those made since `mark`.
  std::size_t mark() const { return pool_.size(); }
  void release(std::size_t mark) { pool_.resize(mark); }
  std::int64_t lanes() const { return lanes_; }

 private:
  Array literal(Term t, DType dtype) const { return Array::full(dtype, {}, t.literal); }
  DType literal_dtype(Op op, std::span<const Term> in) const;
  LaneArray apply_batched(Op op, std::span<LaneArray> in, Attrs attrs);
  LaneArray apply_lane_by_lane(Op op, std::span<LaneArray> in, Attrs attrs);
  void align(std::span<LaneArray> in) const;
  struct Gathered;
  Gathered gather(Op op, int operand, Term adjoint, Term x, Term y, Term r) const;

  std::int64_t lanes_;
  std::vector<LaneArray> pool_;
};

}  // namespace tapegrad

// The algebra of lanes: another algebra, for K terms at once. A term may carry a leading axis of
// length K; an op on such terms becomes an op of the algebra below on arrays with that axis in
// front, by the op's `Lanes`. For derivatives in K directions and for batches of K instances.
#pragma once

#include <utility>
#include <vector>

#include "ops/rules.hpp"

namespace tapegrad {

class LaneAlgebra final : public Algebra {
 public:
  LaneAlgebra(Algebra& below, std::int64_t lanes) : below_(below), lanes_(lanes) {}

  using Algebra::apply;
  Term apply(Op op, std::span<const Term> in, Attrs attrs) override;
  Meta meta(Term t) const override;  // of one lane
  Term constant(const Array& value) override { return same(below_.constant(value)); }

  // A term of the algebra below: the same in each lane, or with the lanes in front.
  Term same(Term t) { return lifted(t, 0); }
  Term batched(Term t) { return lifted(t, kLaneBit); }
  bool is_batched(Term t) const {
    return !t.is_literal() && (t.id & (kLaneBit | kOtherBits)) == kLaneBit;
  }
  // Back to the algebra below; `spread` puts the lanes in front if they are not there.
  Term below(Term t) const;
  Term spread(Term t);

  // An array of zeros with some scalar elements (flat index, value), at least one of them batched.
  Term scattered(const Dims& shape, std::vector<std::pair<std::int64_t, Term>> elements);

  std::int64_t lanes() const { return lanes_; }

 private:
  // A batched term is marked in its id. The two highest bits belong to the builder, whose scalar
  // constants and scattered arrays never carry lanes.
  static constexpr std::uint32_t kLaneBit = 0x20000000u, kOtherBits = 0xc0000000u;
  Term lifted(Term t, std::uint32_t bit);

  struct Operands;
  Term apply_aligned(Op op, Operands& in, Attrs attrs);
  Term apply_shifted(Op op, Operands& in, Attrs attrs);
  Term apply_lane_by_lane(Op op, Operands& in, Attrs attrs);
  Term item(Operands& in, Attrs attrs);
  Term item_set(Operands& in, Attrs attrs);
  Term matmul(Operands& in);
  Term custom(Operands& in, Attrs attrs);
  Term broadcast(Term x, const Dims& shape);
  void align(Operands& in);
  Term repeated(Term t);  // of the algebra below, with the lanes in front
  Dims with_lanes(Dims shape) const {
    shape.insert(0, lanes_);
    return shape;
  }

  Algebra& below_;
  std::int64_t lanes_;
};

}  // namespace tapegrad

// The algebra of nodes: applying an op computes its value and, if it depends on an input, appends
// it to the target tape. What depends on nothing is folded into a constant.
#pragma once

#include <vector>

#include "sweeps/sweeps.hpp"

namespace tapegrad {

class RecordingAlgebra final : public Algebra {
 public:
  explicit RecordingAlgebra(Tape& target) : target_(target) {}

  using Algebra::apply;
  Term apply(Op op, std::span<const Term> in, Attrs attrs) override;
  Meta meta(Term t) const override {
    return t.is_literal() ? Meta{DType::f64, {}} : pool_[t.id].recorded.value.meta();
  }
  Term constant(const Array& value) override { return put({kNoOperand, value}); }

  Term put(Recorded r) {
    const bool active = r.operand != kNoOperand;
    pool_.push_back({std::move(r), active});
    return {this, static_cast<std::uint32_t>(pool_.size() - 1)};
  }
  Term put_constant(Recorded r) {
    pool_.push_back({std::move(r), false});
    return {this, static_cast<std::uint32_t>(pool_.size() - 1)};
  }
  Recorded get(Term t) const;
  std::size_t mark() const { return pool_.size(); }
  void release(std::size_t mark) { pool_.resize(mark); }

 private:
  struct Entry {
    Recorded recorded;
    bool active;  // false with an operand: a constant that has been put on the tape
  };
  Operand operand_of(Op op, Term t);

  Tape& target_;
  std::vector<Entry> pool_;
};

// The operand under which an op takes an inactive value: the pool of scalars where that is enough.
Operand constant_operand(Tape& tape, Op op, const Array& value);

}  // namespace tapegrad

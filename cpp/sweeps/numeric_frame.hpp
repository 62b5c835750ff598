// What the tangent and the adjoint sweep in numbers share: the algebra, and values lifted into it.
#pragma once

#include "ops/scans.hpp"
#include "sweeps/rule_on_tape.hpp"
#include "sweeps/store.hpp"

namespace tapegrad {

class NumericFrame : public Frame {
 public:
  NumericFrame(const Tape& tape, std::int64_t lanes) : Frame(tape, numbers), numbers(lanes) {}

  Term lift(Operand o) override {
    return is_constant(o) ? Term(tape.constant(o)) : numbers.constant(tape.value(o));
  }
  bool may_be_zero(NodeId id) override { return any_zero(tape.value(id)); }

  NumericAlgebra numbers;
};

}  // namespace tapegrad

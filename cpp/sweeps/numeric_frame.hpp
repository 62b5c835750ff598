// What the tangent and the adjoint sweep in numbers share: the algebra, and values lifted into it.
#pragma once

#include "sweeps/rule_on_tape.hpp"
#include "sweeps/store.hpp"

namespace tapegrad {

class NumericFrame : public Frame {
 public:
  NumericFrame(const Tape& tape, std::int64_t lanes) : Frame(tape, numbers), numbers(lanes) {}

  Term lift(Operand o) override {
    return is_constant(o) ? Term(tape.constant(o)) : numbers.constant(tape.value(o));
  }

  NumericAlgebra numbers;
};

}  // namespace tapegrad

// Recording by hand, as the bindings do it: an op is evaluated and its node appended. For the tests
// of the tape and of the sweeps.
#pragma once

#include <algorithm>
#include <vector>

#include "ops/rules.hpp"
#include "tape/tape.hpp"

namespace tapegrad::testing {

// A node with its value, which the tape itself keeps only if some rule reads it.
struct Value {
  Operand operand = kNoOperand;
  Array array;
};

inline Value input(Tape& tape, const Array& value) {
  return {tape.add_leaf(Op::input, value), value};
}
inline Value constant(Tape& tape, const Array& value) {
  return {tape.add_leaf(Op::constant, value), value};
}

inline Value record(Tape& tape, Op op, const std::vector<Value>& in, Attrs attrs = {}) {
  std::vector<Array> arrays;
  std::vector<Operand> operands;
  for (const Value& v : in) {
    arrays.push_back(v.array);
    operands.push_back(v.operand);
  }
  std::vector<Array> computed = arrays;
  const Array out = evaluate(op, std::span<Array>(computed), attrs);
  return {tape.add(op, operands, arrays, attrs, out), out};
}

}  // namespace tapegrad::testing

// Roots, whose poles are of a kind that derivatives can pass.
#pragma once

#include <vector>

#include "ops/poles.hpp"
#include "tape/tape.hpp"

namespace tapegrad {

// Sums of squares have slope 0 where they are 0, and their root has a kink there: by the convention
// for symmetric kinks its slope is 0, as that of np.linalg.norm is.
inline bool is_sum_of_squares(const Tape& tape, Operand root) {
  std::vector<Operand> left{root};
  for (int seen = 0; !left.empty(); ++seen) {
    const Operand o = left.back();
    left.pop_back();
    if (is_constant(o) && tape.constant(o) >= 0) continue;
    if (is_constant(o) || seen == 1000 || tape[o].dtype == DType::c128) return false;
    const Node n = tape[o];
    const auto positive = [&](Operand c) { return is_constant(c) && tape.constant(c) > 0; };
    switch (n.op) {
      case Op::square: break;
      case Op::power:
        if (!is_constant(n.b) || tape.constant(n.b) != 2) return false;
        break;
      case Op::matmul:
        if (n.a != n.b || tape.meta(n.a).shape.size() != 1) return false;
        break;
      case Op::multiply:
        if (n.a == n.b) break;
        if (!positive(n.a) && !positive(n.b)) return false;
        left.push_back(positive(n.a) ? n.b : n.a);
        break;
      case Op::divide:
        if (!positive(n.b)) return false;
        left.push_back(n.a);
        break;
      case Op::add:
        left.push_back(n.a);
        left.push_back(n.b);
        break;
      case Op::sum:
      case Op::reshape:
      case Op::transpose:
      case Op::broadcast_to:
      case Op::slice:
      case Op::item:
      case Op::gather:
      case Op::cast: left.push_back(n.a); break;
      default: return false;
    }
  }
  return true;
}
inline bool is_norm(const Tape& tape, const Node& n) {
  return n.op == Op::sqrt && is_sum_of_squares(tape, n.a);
}

// Whether a slope of the node may be infinite.
inline bool may_be_at_pole(const Tape& tape, const Node& n) {
  if (!has_pole(n.op)) return false;
  if ((n.op != Op::divide && n.op != Op::power) || !is_constant(n.b)) return true;
  const double c = tape.constant(n.b);
  return n.op == Op::divide ? c == 0 : c < 1 && c != 0;
}

// Whether a vanishing tangent may be lost at a pole of the op. Behind a square root it is not:
// where the argument and its slope vanish, the root has a kink or slope 0. Arcs are roots at their
// poles.
inline bool may_lose_tangent(const Tape& tape, const Node& n) {
  switch (n.op) {
    case Op::sqrt:
    case Op::arcsin:
    case Op::arccos:
    case Op::arccosh: return false;
    default: break;
  }
  const bool root = n.op == Op::power && is_constant(n.b) && tape.constant(n.b) == 0.5;
  return !root && may_be_at_pole(tape, n);
}

}  // namespace tapegrad

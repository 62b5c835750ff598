// Roots, whose poles are of a kind that derivatives can pass.
#pragma once

#include <algorithm>
#include <vector>

#include "ops/poles.hpp"
#include "tape/tape.hpp"

namespace tapegrad {

// Whether two operands are the same value, as far as a look at what they are made of tells.
inline bool is_same_value(const Tape& tape, Operand a, Operand b, int depth = 3) {
  if (a == b) return true;
  if (is_constant(a) || is_constant(b))
    return is_constant(a) && is_constant(b) && tape.constant(a) == tape.constant(b);
  const Node m = tape[a], n = tape[b];
  const int count = tape.operand_count(m);
  if (depth == 0 || m.op != n.op || kind_of(m.op) == OpKind::leaf || m.dtype != n.dtype ||
      count != tape.operand_count(n))
    return false;
  std::int64_t one = 0, other = 0;
  const Attrs x = tape.attrs(m, one), y = tape.attrs(n, other);
  if (!std::equal(x.begin(), x.end(), y.begin(), y.end())) return false;
  for (int i = 0; i < count; ++i)
    if (!is_same_value(tape, tape.operand(m, i), tape.operand(n, i), depth - 1)) return false;
  return true;
}

// Sums of squares have slope 0 where they are 0, and their root has a kink there: by the convention
// for symmetric kinks its slope is 0, as that of np.linalg.norm is.
inline bool is_sum_of_squares(const Tape& tape, Operand root) {
  constexpr int kMostLooks = 10000;
  std::vector<Operand> left{root};
  for (int seen = 0; !left.empty(); ++seen) {
    const Operand o = left.back();
    left.pop_back();
    if (is_constant(o) && tape.constant(o) >= 0) continue;
    if (is_constant(o) || seen == kMostLooks || tape[o].dtype == DType::c128) return false;
    const Node n = tape[o];
    const auto positive = [&](Operand c) { return is_constant(c) && tape.constant(c) > 0; };
    switch (n.op) {
      case Op::square: break;
      case Op::power:
        if (!is_constant(n.b) || tape.constant(n.b) != 2) return false;
        break;
      case Op::matmul:
        if (!is_same_value(tape, n.a, n.b) || tape.meta(n.a).shape.size() != 1) return false;
        break;
      case Op::multiply:
        if (is_same_value(tape, n.a, n.b)) break;
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
      case Op::concatenate:
        for (int i = 0, count = tape.operand_count(n); i < count; ++i)
          left.push_back(tape.operand(n, i));
        break;
      case Op::sum:
      case Op::reshape:
      case Op::transpose:
      case Op::broadcast_to:
      case Op::slice:
      case Op::unslice:
      case Op::roll:
      case Op::item:
      case Op::gather:
      case Op::cast: left.push_back(n.a); break;
      default: return false;
    }
  }
  return true;
}
inline bool is_root(const Tape& tape, const Node& n) {
  return n.op == Op::sqrt || (n.op == Op::power && is_constant(n.b) && tape.constant(n.b) == 0.5);
}
inline bool is_norm(const Tape& tape, const Node& n) {
  return is_root(tape, n) && is_sum_of_squares(tape, n.a);
}

// Whether a slope of the node may be infinite.
inline bool may_be_at_pole(const Tape& tape, const Node& n) {
  if (!has_pole(n.op)) return false;
  if (n.op == Op::power && is_constant(n.a)) return tape.constant(n.a) <= 0;
  if ((n.op != Op::divide && n.op != Op::power) || !is_constant(n.b)) return true;
  const double c = tape.constant(n.b);
  return n.op == Op::divide ? c == 0 : c < 1 && c != 0;
}

// Whether a vanishing tangent may be lost at a pole of the op. Behind a square root it is not:
// where the argument and its slope vanish, the root has a kink or slope 0. Arcs are roots at their
// poles.
inline bool may_lose_tangent(const Tape& tape, const Node& n) {
  const bool arc = n.op == Op::arcsin || n.op == Op::arccos || n.op == Op::arccosh;
  return is_elementwise(n.op) && !arc && !is_root(tape, n) && may_be_at_pole(tape, n);
}

}  // namespace tapegrad

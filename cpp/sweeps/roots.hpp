// Roots, whose poles are of a kind that derivatives can pass.
#pragma once

#include <algorithm>
#include <cmath>
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

// Whether the operand is a constant without negative elements.
inline bool is_nonnegative(const Tape& tape, Operand o) {
  if (is_constant(o)) return tape.constant(o) >= 0;
  if (tape[o].op != Op::constant || !tape.has_value(o)) return false;
  const Array a = tape.value(o);
  if (!a.contiguous() || a.dtype() == DType::c128) return false;
  return dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, std::complex<double>>) return false;
    else return std::all_of(a.ptr<T>(), a.ptr<T>() + a.size(), [](T x) { return !(x < T(0)); });
  });
}

// A p such that the operand is |u|**p of some u, as far as a look at what it is made of tells; else
// 0.
inline double power_of_size(const Tape& tape, Operand o, int depth = 4) {
  if (is_constant(o) || depth == 0) return 0;
  const Node n = tape[o];
  const auto squared = [&](Operand u) {
    return 2 * std::max(1.0, power_of_size(tape, u, depth - 1));
  };
  if (n.dtype == DType::c128) return 0;
  switch (n.op) {
    case Op::absolute:
    case Op::fabs: return 1;
    case Op::square: return squared(n.a);
    case Op::matmul:
      return is_same_value(tape, n.a, n.b) && tape.meta(n.a).shape.size() == 1 ? 2 : 0;
    case Op::multiply: {
      if (is_same_value(tape, n.a, n.b)) return squared(n.a);
      const double p = power_of_size(tape, n.a, depth - 1);
      const double q = power_of_size(tape, n.b, depth - 1);
      return p > 0 && q > 0 ? p + q : 0;
    }
    case Op::power: {
      const double c = is_constant(n.b) ? tape.constant(n.b) : 0;
      const bool even = c > 0 && std::fmod(c, 2) == 0;
      return c * std::max(even ? 1.0 : 0.0, power_of_size(tape, n.a, depth - 1));
    }
    default: return 0;
  }
}

// Whether the operand is a sum of powers |u|**q, each with q >= p (but for rounding).
inline bool is_sum_of_powers(const Tape& tape, Operand whole, double p) {
  constexpr int kMostLooks = 10000;
  std::vector<Operand> left{whole};
  for (int seen = 0; !left.empty(); ++seen) {
    const Operand o = left.back();
    left.pop_back();
    if (is_nonnegative(tape, o)) continue;
    if (is_constant(o) || seen == kMostLooks) return false;
    if (power_of_size(tape, o) >= p * (1 - 1e-12)) continue;
    const Node n = tape[o];
    switch (n.op) {
      case Op::multiply:
        if (!is_nonnegative(tape, n.a) && !is_nonnegative(tape, n.b)) return false;
        left.push_back(is_nonnegative(tape, n.a) ? n.b : n.a);
        break;
      case Op::divide:
        if (!is_nonnegative(tape, n.b)) return false;
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

// The c of a power x**c with 0 < c < 1; of other ops 0.
inline double root_exponent(const Tape& tape, const Node& n) {
  if (n.op == Op::sqrt) return 0.5;
  if (n.op != Op::power || !is_constant(n.b)) return 0;
  const double c = tape.constant(n.b);
  return c > 0 && c < 1 ? c : 0;
}
// A norm written out. Its argument has slope 0 where it is 0 and it has a kink there, or slope 0:
// by the convention for symmetric kinks its slope is 0, as that of np.linalg.norm is.
inline bool is_norm(const Tape& tape, const Node& n) {
  const double c = root_exponent(tape, n);
  return c > 0 && is_sum_of_powers(tape, n.a, 1 / c);
}

// Whether a slope of the node may be infinite.
inline bool may_be_at_pole(const Tape& tape, const Node& n) {
  if (!has_pole(n.op)) return false;
  if (n.op == Op::power && is_constant(n.a)) return tape.constant(n.a) <= 0;
  if ((n.op != Op::divide && n.op != Op::power) || !is_constant(n.b)) return true;
  const double c = tape.constant(n.b);
  return n.op == Op::divide ? c == 0 : c < 1 && c != 0;
}

// Whether a vanishing tangent may be lost at a pole of the op. Behind a square root, or a root
// above it, it is not: where the argument and its slope vanish, the root has a kink or slope 0.
// Arcs are roots at their poles.
inline bool may_lose_tangent(const Tape& tape, const Node& n) {
  const bool arc = n.op == Op::arcsin || n.op == Op::arccos || n.op == Op::arccosh;
  if (!is_elementwise(n.op) || arc || !may_be_at_pole(tape, n)) return false;
  return root_exponent(tape, n) < 0.5 && !is_norm(tape, n);
}

}  // namespace tapegrad

// Poles of a node, and norms written out: roots whose pole is a kink.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
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

// The number that a constant is, as a literal or an array of one element.
inline std::optional<double> number_of(const Tape& tape, Operand o) {
  if (is_constant(o)) return tape.constant(o);
  if (tape[o].op != Op::constant || !tape.has_value(o)) return {};
  const Array a = tape.value(o);
  if (a.size() != 1 || a.dtype() == DType::c128) return {};
  return dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, std::complex<double>>) return nan;
    else return static_cast<double>(a.at<T>());
  });
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

// Whether a product of matrices is u @ u, of a vector or of rows with columns.
inline bool is_square_product(const Tape& tape, const Node& n) {
  const Dims left = tape.meta(n.a).shape, right = tape.meta(n.b).shape;
  if (left.size() == 1 || right.size() == 1)
    return left.size() == right.size() && is_same_value(tape, n.a, n.b);
  if (left[left.size() - 2] != 1 || right.back() != 1) return false;
  const auto source = [&](Operand o) { return tape[o].op == Op::reshape ? tape[o].a : o; };
  return is_same_value(tape, source(n.a), source(n.b));
}

// The even k of a node u**k, else 0.
inline double even_power(const Tape& tape, const Node& n) {
  if (n.op == Op::square) return 2;
  if (n.op == Op::multiply) return is_same_value(tape, n.a, n.b) ? 2 : 0;
  if (n.op == Op::matmul) return is_square_product(tape, n) ? 2 : 0;
  if (n.op != Op::power) return 0;
  const double k = number_of(tape, n.b).value_or(0);
  return k > 0 && std::fmod(k, 2) == 0 ? k : 0;
}

// |u|**power, where power is not 0; of a vector, u is not named.
struct SizePower {
  Operand u = kNoOperand;
  double power = 0;
};

inline SizePower size_power(const Tape& tape, Operand o, int depth = 4) {
  if (is_constant(o) || depth == 0 || tape[o].dtype == DType::c128) return {};
  const Node n = tape[o];
  const double even = even_power(tape, n);
  if (n.op == Op::matmul) return {kNoOperand, even};
  if (n.op == Op::absolute || n.op == Op::fabs) return {n.a, 1};
  if (even == 0 && n.op != Op::multiply && n.op != Op::power) return {};
  const SizePower inner = size_power(tape, n.a, depth - 1);
  if (even > 0)
    return inner.power > 0 ? SizePower{inner.u, even * inner.power} : SizePower{n.a, even};
  if (inner.power == 0) return {};
  if (n.op == Op::power)
    return {inner.u, std::max(number_of(tape, n.b).value_or(0), 0.0) * inner.power};
  const SizePower other = size_power(tape, n.b, depth - 1);
  const bool same = other.power > 0 && inner.u != kNoOperand && other.u != kNoOperand &&
                    is_same_value(tape, inner.u, other.u);
  return same ? SizePower{inner.u, inner.power + other.power} : SizePower{};
}

// Whether the operand is |u|**p of some u, as far as a look at what it is made of tells. Exponents
// may have been rounded to float32.
inline bool is_power_of_size(const Tape& tape, Operand o, double p) {
  const auto is_p = [p](double q) { return std::abs(q - p) <= 1e-6 * p; };
  return is_p(even_power(tape, tape[o])) || is_p(size_power(tape, o).power);
}

// Whether the operand is a sum of powers |u|**p.
inline bool is_sum_of_powers(const Tape& tape, Operand whole, double p) {
  constexpr int kMostLooks = 10000;
  std::vector<Operand> left{whole};
  for (int seen = 0; !left.empty(); ++seen) {
    const Operand o = left.back();
    left.pop_back();
    if (is_nonnegative(tape, o)) continue;
    if (is_constant(o) || seen == kMostLooks || tape[o].dtype == DType::c128) return false;
    if (is_power_of_size(tape, o, p)) continue;
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
  if (n.op != Op::power) return 0;
  const double c = number_of(tape, n.b).value_or(0);
  return c > 0 && c < 1 ? c : 0;
}
// A norm written out, the root of a sum of powers. It has a kink where it is 0: by the convention
// for symmetric kinks its slope is 0 there, as that of np.linalg.norm is.
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

// Roots from the square root up, and arcs, which are square roots at their poles: where the
// argument vanishes like a square, they have a kink or slope 0, and a vanishing tangent is none the
// worse.
inline bool passes_squares(const Tape& tape, const Node& n) {
  return root_exponent(tape, n) >= 0.5 || n.op == Op::arcsin || n.op == Op::arccos ||
         n.op == Op::arccosh;
}

// Which nodes of [begin, end) are made of rough ops (poles.hpp).
inline std::vector<bool> rough_nodes(const Tape& tape, NodeId begin, NodeId end) {
  std::vector<bool> rough(end - begin);
  for (NodeId id = begin; id < end; ++id) {
    const Node& n = tape[id];
    const double k = n.op == Op::power ? number_of(tape, n.b).value_or(0) : 0;
    bool is = is_rough(n.op) && !(k > 0 && std::fmod(k, 1) == 0);
    for (int i = 0, count = tape.operand_count(n); i < count && !is; ++i)
      if (const Operand o = tape.operand(n, i); o - begin < rough.size()) is = rough[o - begin];
    rough[id - begin] = is;
  }
  return rough;
}

// Whether a vanishing tangent may be lost at a pole of the op.
inline bool may_lose_tangent(const Tape& tape, const Node& n) {
  return is_elementwise(n.op) && may_be_at_pole(tape, n) && !is_norm(tape, n);
}

}  // namespace tapegrad

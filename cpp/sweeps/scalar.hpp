// The fast path of the sweeps: nodes that are elementwise ops on float64 scalars, one switch made
// from the table. Header-only; serves the C++ API and the scalar runs of array tapes.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/dual.hpp"
#include "ops/poles.hpp"
#include "sweeps/roots.hpp"
#include "tape/tape.hpp"

namespace tapegrad {

inline bool is_zero(double x) { return x == 0; }
inline bool is_zero(const Dual<double>& x) { return x.v == 0 && x.t == 0; }

// Calls visit(operand, partial) for each operand of `n` that is a node and, of ops that choose, was
// chosen. `read(operand)` gives
// values of type S (numbers or duals); `result` is the value of the node itself.
template <class S, class Read, class Visit>
inline void visit_partials(const Tape& tape, const Node& n, const S& result, Read&& read,
                           Visit&& visit) {
  switch (n.op) {
#define UNARY(name, ...)                                                      \
  case Op::name: {                                                            \
    if (Op::name == Op::sqrt && n.scalar == 0 && is_norm(tape, n)) {          \
      visit(n.a, S(0));                                                       \
      break;                                                                  \
    }                                                                         \
    const S x = probe<Op::name, 0>.needs & kNeedsX ? read(n.a) : S();         \
    visit(n.a, math::Formula<Op::name>::template partial<0>(x, S(), result)); \
    break;                                                                    \
  }
#define BINARY(name, ...)                                                                         \
  case Op::name: {                                                                                \
    if (Op::name == Op::power && n.scalar == 0 && is_norm(tape, n)) {                             \
      visit(n.a, S(0));                                                                           \
      break;                                                                                      \
    }                                                                                             \
    constexpr unsigned needs = probe<Op::name, 0>.needs | probe<Op::name, 1>.needs;               \
    const S x = needs & kNeedsX ? read(n.a) : S();                                                \
    const S y = needs & kNeedsY ? read(n.b) : S();                                                \
    const auto hand = [&](Operand o, const S& p) {                                                \
      if (!is_choice(Op::name) || !is_zero(p)) visit(o, p);                                       \
    };                                                                                            \
    if (!is_constant(n.a)) hand(n.a, math::Formula<Op::name>::template partial<0>(x, y, result)); \
    if (!is_constant(n.b) && !(Op::name == Op::scale && is_zero(x)))                              \
      hand(n.b, math::Formula<Op::name>::template partial<1>(x, y, result));                      \
    break;                                                                                        \
  }
#include "ops/elementwise.def"
    default: break;
  }
}

// Rows of K numbers, one row a node of the segment, all zero at first (fresh pages cost nothing
// until they are touched).
class ScalarRows {
 public:
  ScalarRows(NodeId begin, NodeId end, std::int64_t lanes)
      : begin_(begin),
        count_(end - begin),
        lanes_(lanes),
        data_(static_cast<double*>(
            std::calloc(static_cast<std::size_t>(count_) * lanes + 1, sizeof(double)))) {
    if (!data_) throw std::bad_alloc();
  }
  ScalarRows(const ScalarRows&) = delete;
  ScalarRows& operator=(const ScalarRows&) = delete;
  ~ScalarRows() { std::free(data_); }

  // True for nodes of the segment; constants and nodes before it fail the one comparison.
  bool holds(Operand o) const { return o - begin_ < count_; }
  double* row(Operand o) { return data_ + static_cast<std::size_t>(o - begin_) * lanes_; }
  const double* row(Operand o) const {
    return data_ + static_cast<std::size_t>(o - begin_) * lanes_;
  }
  double& operator[](Operand o) { return data_[o - begin_]; }  // one lane
  std::int64_t lanes() const { return lanes_; }
  NodeId begin() const { return begin_; }

 private:
  NodeId begin_, count_;
  std::int64_t lanes_;
  double* data_;
};

// Whether an operand of partial p is multiplied by a constant zero.
inline bool is_left_out(const Node& n, double p) {
  return p == 0 && is_product(n.op) && (is_constant(n.a) || is_constant(n.b));
}

inline bool is_zero(const double* row, std::int64_t lanes) {
  for (std::int64_t k = 0; k < lanes; ++k)
    if (row[k] != 0) return false;
  return true;
}

// Whether a zero adjoint meets a slope that is not finite, see poles.hpp.
inline bool scalar_meets_pole(const Tape& tape, const Node& n, const double* g,
                              std::int64_t lanes) {
  bool zero = false;
  for (std::int64_t k = 0; k < lanes && !zero; ++k) zero = g[k] == 0;
  if (!zero || !may_be_at_pole(tape, n)) return false;
  bool finite = true;
  visit_partials<double>(
      tape, n, n.scalar, [&](Operand o) { return tape.scalar(o); },
      [&](Operand, double p) { finite = finite && std::isfinite(p); });
  return !finite;
}

// Adds this node's adjoint, times the partials, to its operands' adjoints.
inline void scalar_adjoint(const Tape& tape, const Node& n, NodeId id, ScalarRows& adjoints) {
  auto read = [&](Operand o) { return tape.scalar(o); };
  if (adjoints.lanes() == 1) {
    const double g = adjoints[id];
    if (g == 0) return;
    visit_partials<double>(tape, n, n.scalar, read, [&](Operand o, double p) {
      if (adjoints.holds(o)) adjoints[o] += g * p;
    });
    return;
  }
  const double* g = adjoints.row(id);
  const std::int64_t lanes = adjoints.lanes();
  if (is_zero(g, lanes)) return;
  visit_partials<double>(tape, n, n.scalar, read, [&](Operand o, double p) {
    if (!adjoints.holds(o)) return;
    double* to = adjoints.row(o);
    for (std::int64_t k = 0; k < lanes; ++k) to[k] += plain::scale(g[k], p);
  });
}

// The adjoint sweep of a tape of scalars only: `adjoints` has an entry a node, zero but for the
// seeds. One loop over bare pointers. An adjoint that the next node reads stays in a register
// (`carry`): in a chain of operations the way through memory would be the longest part of a step.
// Infinite slopes that meet a zero are left to `mark_lost`.
inline void scalar_adjoint_sweep(const Tape& tape, double* __restrict adjoints) {
  const Node* nodes = tape.nodes();
  const double* constants = tape.constants().data();
  const auto read = [=](Operand o) {
    return is_constant(o) ? constants[o & ~kConstantBit] : nodes[o].scalar;
  };
  bool carried = false;
  double carry = 0;
  const auto add = [&](NodeId id, Operand o, double v) {
    const double sum = adjoints[o] + v;
    adjoints[o] = sum;
    if (o + 1 == id) {
      carry = sum;
      carried = true;
    }
  };
  NodeId begin = 0;  // inputs come first, and hand nothing on
  while (begin < tape.size() && nodes[begin].op == Op::input) ++begin;
  for (NodeId id = tape.size(); id-- > begin;) {
    const Node& n = nodes[id];
    const double g = carried ? carry : adjoints[id];
    carried = false;
    if (g == 0) continue;
    switch (n.op) {
#define UNARY(name, ...)                                                             \
  case Op::name: {                                                                   \
    if (Op::name == Op::sqrt && n.scalar == 0 && is_norm(tape, n)) break;            \
    const double x = probe<Op::name, 0>.needs & kNeedsX ? nodes[n.a].scalar : 0.0;   \
    add(id, n.a, g* math::Formula<Op::name>::template partial<0>(x, 0.0, n.scalar)); \
    break;                                                                           \
  }
#define BINARY(name, ...)                                                           \
  case Op::name: {                                                                  \
    if (Op::name == Op::power && n.scalar == 0 && is_norm(tape, n)) break;          \
    constexpr unsigned needs = probe<Op::name, 0>.needs | probe<Op::name, 1>.needs; \
    const double x = needs & kNeedsX ? read(n.a) : 0.0;                             \
    const double y = needs & kNeedsY ? read(n.b) : 0.0;                             \
    const auto hand = [&](Operand o, double p) {                                    \
      if (!is_choice(Op::name) || p != 0) add(id, o, g* p);                         \
    };                                                                              \
    if (!is_constant(n.a))                                                          \
      hand(n.a, math::Formula<Op::name>::template partial<0>(x, y, n.scalar));      \
    if (!is_constant(n.b) && !(Op::name == Op::scale && is_zero(x)))                \
      hand(n.b, math::Formula<Op::name>::template partial<1>(x, y, n.scalar));      \
    break;                                                                          \
  }
#include "ops/elementwise.def"
      default: break;
    }
  }
}

// Sets this node's tangents from its operands' tangents.
inline void scalar_tangent(const Tape& tape, const Node& n, NodeId id, ScalarRows& tangents) {
  auto read = [&](Operand o) { return tape.scalar(o); };
  double* to = tangents.row(id);
  const std::int64_t lanes = tangents.lanes();
  visit_partials<double>(tape, n, n.scalar, read, [&](Operand o, double p) {
    if (!tangents.holds(o) || is_left_out(n, p)) return;
    const double* t = tangents.row(o);
    for (std::int64_t k = 0; k < lanes; ++k) to[k] += plain::scale(t[k], p);
  });
}

// The adjoint step in dual numbers: `tangents` of the values are known, `adjoints` (one lane) and
// the tangents of the adjoints (as many lanes as `tangents`) are propagated.
inline void scalar_second_order(const Tape& tape, const Node& n, NodeId id,
                                const ScalarRows& tangents, ScalarRows& adjoints,
                                ScalarRows& adjoint_tangents) {
  const double g = adjoints[id];
  const double* gt = adjoint_tangents.row(id);
  const std::int64_t lanes = tangents.lanes();
  if (g == 0 && is_zero(gt, lanes)) return;
  for (std::int64_t k = 0; k < lanes; ++k) {
    auto read = [&](Operand o) {
      return Dual<double>(tape.scalar(o), tangents.holds(o) ? tangents.row(o)[k] : 0.0);
    };
    const Dual<double> result(n.scalar, tangents.row(id)[k]);
    visit_partials<Dual<double>>(tape, n, result, read, [&](Operand o, const Dual<double>& p) {
      if (!tangents.holds(o)) return;
      if (k == 0) adjoints[o] += plain::scale(g, p.v);
      adjoint_tangents.row(o)[k] += plain::scale(gt[k], p.v) + plain::scale(g, p.t);
    });
  }
}

// What a sweep over a tape of scalars could not tell, afterwards: NaN in the adjoint of each node
// that a lost slope leads to (see poles.hpp). `outputs` are the seeded nodes of each lane;
// `also` gets a NaN where `adjoints` do (their tangents, say).
inline void mark_lost(const Tape& tape, const std::vector<std::vector<NodeId>>& outputs,
                      ScalarRows& adjoints, ScalarRows* also = nullptr) {
  enum : char { kCounts = 1, kLost = 2 };
  bool any = false;
  for (NodeId id = 0; id < tape.size() && !any; ++id)
    any = scalar_meets_pole(tape, tape[id], adjoints.row(id), adjoints.lanes());
  if (!any) return;
  std::vector<char> state(tape.size());
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    std::fill(state.begin(), state.end(), char{0});
    for (NodeId o : outputs[k]) state[o] = kCounts;
    for (NodeId id = tape.size(); id-- > 0;) {
      const Node& n = tape[id];
      if (state[id] & kLost) {
        adjoints.row(id)[k] = nan;
        if (also) std::fill_n(also->row(id), also->lanes(), nan);
      }
      if (!(state[id] & kCounts)) continue;
      const double* g = adjoints.row(id) + k;
      const char lost = state[id] & kLost || scalar_meets_pole(tape, n, g, 1) ? kLost : 0;
      visit_partials<double>(
          tape, n, n.scalar, [&](Operand o) { return tape.scalar(o); },
          [&](Operand o, double p) {
            if (adjoints.holds(o) && !is_left_out(n, p)) state[o] |= kCounts | lost;
          });
    }
  }
}

}  // namespace tapegrad
